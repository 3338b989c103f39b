"""A real controller in a process of its own, and a client of its API without start-up cost.

Used by the rows about bluegreen itself. Each controller has its own state folder and port, so that
several stand side by side; :meth:`Controller.standing` ends it with all that it started. The client keeps
one connection to the unix socket: what is measured is the controller, not a client that starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from tests.support.ports import free_port

from bluegreen.api.models import dump
from bluegreen.domain.stack import StackSpec
from bluegreen.testing.waiting import until

FINAL = frozenset({"done", "aborted", "reverted"})


class Refused(Exception):
    """The API refused; the text is its problem document."""


class Controller:
    """See the module. ``runtime`` and ``environment`` are the settings of ``bluegreen serve``."""

    def __init__(
        self, runtime: str, environment: Mapping[str, str], program: Sequence[str] = ("bluegreen", "serve")
    ) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="bench-"))
        self.port = free_port()
        own = {"BLUEGREEN_HOME": str(self.home), "BLUEGREEN_RUNTIME": runtime, "NO_COLOR": "1"}
        kept = {k: v for k, v in os.environ.items() if not k.startswith("BLUEGREEN_")}
        self.environment = {**kept, **own, **environment}
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    @asynccontextmanager
    async def standing(
        cls,
        runtime: str = "process",
        program: Sequence[str] = ("bluegreen", "serve"),
        **environment: str,
    ) -> AsyncIterator[Controller]:
        """Run a controller until the block ends; ``environment`` is passed on to it."""
        controller = cls(runtime, environment, program)
        try:
            await controller._start()
            yield controller
        finally:
            await controller._close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def kill(self) -> None:
        """End the controller as a power cut would; all that it started runs on."""
        assert self._process is not None
        self._process.kill()
        await asyncio.to_thread(self._process.wait)

    async def start_again(self) -> None:
        """Start it after :meth:`kill`; return once it answers."""
        if self._session is not None:
            await self._session.close()
        await self._start()

    async def get(self, path: str) -> Any:
        return await self._request("GET", path)

    async def post(self, path: str, body: Any = None) -> Any:
        return await self._request("POST", path, {} if body is None else body)

    async def up(self, stack: StackSpec, timeout: float = 60.0) -> None:
        """Bring a stack up; return once all its rollouts have settled. Raises when one failed."""
        begun = await self._request("PUT", f"/v1/stacks/{stack.name}", dump(stack))
        for rollout in begun["rollouts"]:
            await self.settled(rollout["id"], timeout)

    async def switch(self, route: str, target: str) -> str:
        """Command a switch; return the rollout's id as soon as the command is accepted."""
        begun = await self.post(f"/v1/routes/{route}/switch", {"target": target})
        found: str = begun["rollout"]["id"]
        return found

    async def settled(self, rollout: str, timeout: float = 60.0) -> dict[str, Any]:
        """Return the rollout once users are served by where it leads. Raises when it failed."""
        found: dict[str, Any] = {}

        async def look() -> bool:
            nonlocal found
            found = await self.get(f"/v1/rollouts/{rollout}")
            return found["phase"] in FINAL or (found["settled"] and found["phase"] == "baking")

        await until(look, timeout=timeout)
        if found["outcome"]["exit_code"] != 0:
            raise RuntimeError(json.dumps(found["outcome"]))
        return found

    def pids(self) -> dict[str, int]:
        """Return the process of each instance of the process runtime, by the instance's name."""
        found = {}
        for path in (self.home / "process" / "instances").glob("*.json"):
            with contextlib.suppress(FileNotFoundError, KeyError, TypeError):
                record = json.loads(path.read_text())
                found[record["spec"]["name"]] = int(record["process"]["pid"])
        return found

    async def _request(self, method: str, path: str, body: Any = None) -> Any:
        assert self._session is not None
        async with self._session.request(method, f"http://controller{path}", json=body) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise Refused(f"{method} {path}: {answer.status} {text}")
            return json.loads(text)

    async def _start(self) -> None:
        self._launch()
        connector = aiohttp.UnixConnector(path=str(self.home / "bluegreen.sock"))
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(120))
        await until(self._answers, timeout=30.0)

    def _launch(self) -> None:
        with (self.home / "controller.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._program],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError((self.home / "controller.log").read_text(errors="replace")[-3000:])
        try:
            await self.get("/v1/about")
        except aiohttp.ClientError:
            return False
        return True

    async def _close(self) -> None:
        with contextlib.suppress(aiohttp.ClientError, Refused, TimeoutError):
            for stack in await self.get("/v1/stacks"):
                await self._request("DELETE", f"/v1/stacks/{stack['name']}")
        if self._session is not None:
            await self._session.close()
        if self._process is not None:
            self._end(self._process)
        for process in self._leftovers():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _leftovers(self) -> list[psutil.Process]:
        """Return what of this controller still runs: its command or environment names our folder."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                ours = process.environ().get("BLUEGREEN_HOME") == str(self.home)
                if process.pid != os.getpid() and (ours or str(self.home) in " ".join(process.cmdline())):
                    found.append(process)
        return found
