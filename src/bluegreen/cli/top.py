"""``top``: services, colors, traffic and rollouts, redrawn as they change."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from bluegreen.cli.frame import Rates, counts, frame
from bluegreen.cli.lazy import verb
from bluegreen.cli.output import line_text, span, table
from bluegreen.cli.session import Session, pass_session
from bluegreen.domain.errors import BluegreenError, Temporary, UserError

EVERY = 2.0
"""Seconds between two frames in which nothing happened."""

_CALM = 0.2
"""Seconds between two frames at least, however much happens."""

_NAMES = ("service", "color", "release", "image", "healthy", "share", "req/s", "in flight")


@verb("top", "bluegreen top", "bluegreen top --once", "bluegreen top --json | jq -c .services")
@click.option("--once", is_flag=True, help="Print one frame and end.")
@pass_session
def top(session: Session, once: bool) -> None:
    """Watch services, their traffic and rollouts.

    Redrawn when something happens, and every 2 seconds; `q` or Ctrl-C ends. With --json one document
    per frame.
    """
    look = Look(session)
    if once:
        look.take()
        time.sleep(_CALM)  # rates take two looks
        found = look.take()
        session.emit(found, lambda: text(found))
        return
    if session.json:
        for _ in _turns(session, keys=False):
            click.echo(line_text(look.steady()))
        return
    if not sys.stdout.isatty():
        raise UserError(
            "`top` redraws a terminal, and this is none",
            code="no_terminal",
            hint="Print one frame with `bluegreen top --once`, or one document per frame with --json.",
        )
    from bluegreen.cli.live import Screen

    with Screen() as screen:
        for _ in _turns(session, keys=sys.stdin.isatty()):
            screen.show(text(look.steady()))


class Look:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._rates = Rates()
        self._last: dict[str, Any] = {}

    def take(self) -> dict[str, Any]:
        """Return the next frame. Raises what the controller, or the way to it, says."""
        client, scope = self._session.client, self._session.scope
        status = client.get("/v1/status", scope)
        counted = counts("\n".join(client.lines("/metrics", scope)))
        self._last = frame(time.time(), status, self._rates.take(time.monotonic(), counted))
        return self._last

    def steady(self) -> dict[str, Any]:
        """Return the next frame; the last one, with the reason, while no controller answers."""
        try:
            return self.take()
        except Temporary as error:
            if not self._last:
                raise
            return self._last | {"trouble": f"{error.message}; traffic is not affected"}


def text(found: dict[str, Any]) -> str:
    """Return a frame as tables."""
    rows = [row for service in found["services"] for row in _rows(service)]
    headers = (*_NAMES, "errors", "p50", "p95")
    parts = [f"{time.strftime('%H:%M:%S', time.localtime(found['at']))}  bluegreen top"]
    parts += [click.style(found["trouble"], fg="yellow")] if found["trouble"] else []
    parts.append(table(headers, rows, empty="nothing runs here yet; begin with `bluegreen up`"))
    parts += [_rollout(rollout) for rollout in found["rollouts"]]
    return "\n\n".join(parts)


def _rows(service: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    name = f"{service['service']}.{service['stack']}"
    if not service["colors"]:
        yield name, service["state"], *["-"] * 9
    for color in service["colors"]:
        yield name, *_cells(color, color["color"] == service["live"])
        name = ""


def _cells(color: dict[str, Any], live: bool) -> tuple[object, ...]:
    name = click.style(("● " if live else "  ") + color["color"], fg=color["color"], bold=live)
    healthy = f"{color['healthy']}/{color['total']}"
    return (
        name,
        f"r{color['release']}",
        color["image"] or "-",
        healthy if color["healthy"] == color["total"] else click.style(healthy, fg="yellow"),
        f"{color['share']} %",
        _number(color["rate"]),
        color["in_flight"],
        "-" if color["errors"] is None else f"{color['errors'] * 100:.1f} %",
        "-" if color["p50"] is None else span(color["p50"]),
        "-" if color["p95"] is None else span(color["p95"]),
    )


def _number(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1f}"


def _rollout(rollout: dict[str, Any]) -> str:
    what = f"{rollout['kind']} to {rollout['target'].partition('.')[2]}"
    return f"rollout {rollout['id']}: {what}, {rollout['phase']} for {span(rollout['seconds'])}"


def _turns(session: Session, *, keys: bool) -> Iterator[None]:
    """Yield when a frame is due, until ``q`` is typed."""
    reader, writer = os.pipe()
    threading.Thread(target=_wake, args=(session, writer), daemon=True).start()
    with _typed(keys):
        while True:
            yield
            began = time.monotonic()
            ready, _, _ = select.select([reader, *([sys.stdin] if keys else [])], [], [], EVERY)
            if sys.stdin in ready and os.read(sys.stdin.fileno(), 64)[:1] in {b"q", b"Q", b""}:
                return
            time.sleep(max(0.0, _CALM - (time.monotonic() - began)))
            if reader in ready:
                os.read(reader, 65_536)


def _wake(session: Session, writer: int) -> None:
    """Write a byte for each event, as long as the program runs."""
    while True:
        with suppress(BluegreenError):
            for _ in session.client.stream("/v1/events/stream", session.scope):
                os.write(writer, b".")
        time.sleep(EVERY)


@contextmanager
def _typed(keys: bool) -> Iterator[None]:
    """Have keys at once and unseen, and the terminal as it was afterwards."""
    if not keys:
        yield
        return
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
