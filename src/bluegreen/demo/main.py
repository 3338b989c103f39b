"""``bluegreen demo``: called by the verb of that name, returns its exit code."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import socket
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import TextIO

from bluegreen.demo.figures import Figures
from bluegreen.demo.images import borrowed_images
from bluegreen.demo.play import Script, perform
from bluegreen.demo.stage import set_up
from bluegreen.demo.story import Story
from bluegreen.domain.errors import UserError
from bluegreen.load.report import render, style_for

DURATION = 9.0
"""Seconds that users are left alone by default; the whole demo then takes under 25 s."""

_FILES = {"process": "stack.process.yml", "docker": "stack.yml"}


def run(
    runtime: str, as_json: bool, duration: float | None, port: int | None, base: str | None = None
) -> int:
    """Play the demo and end everything it started; return 0, or 1 if any request failed.

    ``runtime`` is ``process`` or ``docker``, ``duration`` how long users are left alone (seconds),
    ``port`` the balancer's (a free one by default), ``base`` the image with Python 3 from which missing
    images are built. The story goes to standard output; with ``as_json`` it goes to standard error, and
    standard output gets exactly one JSON object (:data:`bluegreen.demo.FIGURES` has its meaning).
    Interrupted by a signal it returns 128 + its number. Raises ``BluegreenError`` for what makes the
    demo impossible: ``bad_demo``, ``port_in_use``, ``demo_controller``, ``demo_command_failed``,
    ``demo_no_answer``, ``demo_images``, ``docker_unreachable``.
    """
    out = sys.stderr if as_json else sys.stdout
    story = Story(out, style_for(out))
    script = Script(file=_file(runtime), port=_port(port), duration=_duration(duration))
    return asyncio.run(_interruptible(_demo(runtime, script, story, base, as_json), story))


async def _demo(runtime: str, script: Script, story: Story, base: str | None, as_json: bool) -> int:
    async with AsyncExitStack() as stack:
        name = "demo" if runtime == "process" else f"demo-{secrets.token_hex(3)}"
        if runtime == "docker":
            await stack.enter_async_context(borrowed_images(name, base, story))
        stage = await stack.enter_async_context(set_up(runtime, name))
        about = await stage.start()
        story.heading("A stack goes from green to blue and back, and its users are asked what they noticed")
        story.remark(f"runtime {about.runtime}, balancer {about.balancer}, everything in {stage.folder}")
        result = await perform(stage, story, script)
    figures = Figures(result=result, runtime=about.runtime, balancer=about.balancer)
    story.heading("5. What users saw")
    story.block(render(result, style=story.style))
    story.heading(figures.sentence())
    if as_json:
        _print(figures, sys.stdout)
    return figures.exit_code


def _print(figures: Figures, stream: TextIO) -> None:
    stream.write(json.dumps(figures.document()) + "\n")
    stream.flush()


async def _interruptible(demo: Coroutine[None, None, int], story: Story) -> int:
    """Run ``demo``; let the first signal cancel it and no further one disturb its cleaning up."""
    loop = asyncio.get_running_loop()
    playing = asyncio.ensure_future(demo)
    received: list[signal.Signals] = []

    def interrupt(number: signal.Signals) -> None:
        if not received:
            story.remark("interrupted; ending what was started")
            playing.cancel()
        received.append(number)

    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in handled:
        loop.add_signal_handler(number, interrupt, number)
    try:
        return await playing
    except asyncio.CancelledError:
        if not received:
            raise
        story.remark("nothing was left behind")
        return 128 + received[0]
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _file(runtime: str) -> str:
    if runtime not in _FILES:
        raise _wrong(f"the demo knows no runtime {runtime!r}", "Use --runtime process or --runtime docker.")
    return _FILES[runtime]


def _duration(seconds: float | None) -> float:
    chosen = DURATION if seconds is None else seconds
    if not 1 <= chosen <= 600:
        raise _wrong(f"a duration of {chosen:g} s is not possible", "Choose between 1 and 600 seconds.")
    return chosen


def _port(port: int | None) -> int:
    """Return ``port``, or one that is free. Raises ``UserError`` (``port_in_use``)."""
    if port is not None and not 0 <= port <= 65535:
        raise _wrong(f"{port} is no port", "Choose between 1 and 65535, or leave --port out.")
    try:
        with socket.create_server(("", port or 0)) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        raise UserError(
            f"the demo cannot listen on port {port}: {error}",
            code="port_in_use",
            hint="Give another --port, or none at all: then a free one is found.",
        ) from error


def _wrong(message: str, hint: str) -> UserError:
    return UserError(message, code="bad_demo", hint=hint)
