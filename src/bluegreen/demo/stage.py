"""The demo's own installation: a temporary folder, a controller in it, and the end of both.

Whatever happens between :func:`set_up`'s two ends (a failure, Ctrl-C, a dead controller), what was
started is ended: the stack through the API, then the controller, then whatever still belongs to the
folder, then the folder.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import aiohttp

from bluegreen.demo import leftovers
from bluegreen.demo.commands import PROGRAM
from bluegreen.domain.errors import Permanent

KEPT = (
    "BLUEGREEN_DOCKER_URL",
    "BLUEGREEN_HAPROXY_BINARY",
    "BLUEGREEN_HAPROXY_RUN",
    "BLUEGREEN_HAPROXY_IMAGE",
)
"""Settings that describe the machine. All others name another installation and are dropped."""

_START_WITHIN = 30.0
_DOWN_WITHIN = 30.0
_END_WITHIN = 10.0
_ASK_WITHIN = 2.0
_POLL = 0.05
_LOG_LINES = 12
_LONGEST = 60
"""Bytes: the path of a unix socket has at most 107, and ours is 47 longer than its folder's parent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the controller says of itself."""

    runtime: str
    balancer: str


class Stage:
    """One installation in ``folder``. ``stack`` is the name its stack gets."""

    def __init__(self, folder: Path, runtime: str, stack: str, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.stack = stack
        self.home = folder / "state"
        self.files = folder / "stack"
        kept = {k: v for k, v in environment.items() if not k.startswith("BLUEGREEN_") or k in KEPT}
        self.environment = kept | {"BLUEGREEN_HOME": str(self.home), "BLUEGREEN_RUNTIME": runtime}
        self._controller: asyncio.subprocess.Process | None = None

    async def start(self) -> About:
        """Start the controller and wait until it answers.

        Raises ``Permanent`` (``demo_controller``) with the end of its log when it does not.
        """
        with (self.folder / "controller.log").open("wb") as log:
            self._controller = await asyncio.create_subprocess_exec(
                *PROGRAM,
                "serve",
                cwd=self.files,
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(_START_WITHIN):
                return await self._first_answer(self._controller)
        except TimeoutError as error:
            raise self._no_controller(f"did not answer within {_START_WITHIN:g} s") from error

    async def _first_answer(self, controller: asyncio.subprocess.Process) -> About:
        while True:
            if controller.returncode is not None:
                raise self._no_controller(f"ended at once with exit code {controller.returncode}")
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                about = await self._ask("GET", "/v1/about", _ASK_WITHIN)
                return About(runtime=about["runtime"], balancer=about["balancer"])
            await asyncio.sleep(_POLL)

    def _no_controller(self, how: str) -> Permanent:
        return Permanent(
            f"the demo's controller {how}",
            code="demo_controller",
            evidence=tuple(("its log", line) for line in self.log()),
            hint="Mend what the log names (`bluegreen doctor` looks further), then run the demo again.",
        )

    def log(self) -> list[str]:
        """Return the last lines of the controller's log."""
        with suppress(OSError):
            text = (self.folder / "controller.log").read_text(errors="replace")
            return text.splitlines()[-_LOG_LINES:]
        return []

    async def _ask(self, method: str, path: str, within: float) -> Any:
        connector = aiohttp.UnixConnector(path=str(self.home / "bluegreen.sock"))
        async with (
            asyncio.timeout(within),
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, f"http://controller{path}") as answer,
        ):
            return await answer.json(content_type=None)

    async def close(self) -> None:
        """End everything that was started. Never raises for what is gone already."""
        controller = self._controller
        if controller is not None and controller.returncode is None:
            with suppress(aiohttp.ClientError, OSError, TimeoutError, ValueError):
                await self._ask("DELETE", f"/v1/stacks/{self.stack}", _DOWN_WITHIN)
            controller.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_WITHIN):
                    await controller.wait()
            if controller.returncode is None:
                controller.kill()
                await controller.wait()
        await asyncio.to_thread(leftovers.end, self.folder)
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)


@asynccontextmanager
async def set_up(runtime: str, stack: str) -> AsyncIterator[Stage]:
    """Have a folder with the stack's files; the controller is the caller's to start."""
    stage = Stage(_new_folder(), runtime, stack, os.environ)
    try:
        stage.files.mkdir()
        for file in resources.files("bluegreen.demo").joinpath("stack").iterdir():
            (stage.files / file.name).write_bytes(file.read_bytes())
        yield stage
    finally:
        await stage.close()


def _new_folder() -> Path:
    parent = os.path.realpath(tempfile.gettempdir())
    return Path(tempfile.mkdtemp(prefix="bluegreen-demo-", dir=parent if len(parent) < _LONGEST else "/tmp"))
