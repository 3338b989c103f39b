"""A balancer box for end-to-end tests: a real ``bluegreen balancer`` with its own state folder and port."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from bluegreen.load import LoadProcess, Plan
from tests.support.house import LIGHT
from tests.support.ports import free_port
from tests.support.waiting import until


class Box:
    """``published`` is the port that the stack names; the box listens on ``port`` instead.

    ``inside`` is put before its command line: how to run it in another network namespace.
    """

    def __init__(
        self,
        registry: str,
        stack: str,
        published: int,
        *,
        name: str = "north",
        balancer: str = "haproxy",
        host: str = "127.0.0.1",
        inside: Sequence[str] = (),
    ) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="bg-box-"))
        self.port = free_port()
        self.url = f"http://{host}:{self.port}"
        self._command = [
            *inside,
            *(sys.executable, "-m", "bluegreen", "balancer", "--json", "--state-dir", str(self.home)),
            *("--from", registry, "--stack", stack, "--name", name, "--balancer", balancer),
            *("--publish", f"{published}={self.port}"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @asynccontextmanager
    async def following(cls, *arguments: Any, **options: Any) -> AsyncIterator[Box]:
        """Yield a box that runs. It serves once there is something to follow."""
        box = cls(*arguments, **options)
        try:
            box.start()
            yield box
        except BaseException:
            print(box.log()[-5000:])  # pytest shows it beside the failure
            raise
        finally:
            box.close()

    def start(self) -> None:
        with (self.home / "box.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the follower as a power cut would; its balancer goes on."""
        self.signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(10)

    def end(self) -> None:
        """End the follower as its operator would; its balancer goes on."""
        self.signal(signal.SIGTERM)
        assert self._process is not None
        self._process.wait(10)

    def log(self) -> str:
        return (self.home / "box.log").read_text(errors="replace")

    def told(self) -> list[dict[str, Any]]:
        """Return what it printed, oldest first."""
        lines = [line for line in self.log().splitlines() if line.startswith("{")]
        return [json.loads(line) for line in lines]

    async def version(self) -> str:
        """Return the version that a new user gets now."""
        async with httpx.AsyncClient(verify=False) as client:
            return (await client.get(f"{self.url}/version", timeout=5.0)).headers["x-version"]

    async def serves(self, version: str | None = None) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        try:
            return version in (None, await self.version())
        except (httpx.HTTPError, KeyError):
            return False

    @asynccontextmanager
    async def users(self, **changes: Any) -> AsyncIterator[LoadProcess]:
        """Have users at work; they are served already when the block begins."""
        plan = Plan(url=self.url, **({"duration": 60.0, **LIGHT} | changes))
        async with await LoadProcess.start(plan) as load:

            async def served() -> bool:
                return (await load.progress()).requests > 50

            await until(served)
            yield load

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
        for process in tuple(self._processes()):
            with contextlib.suppress(psutil.NoSuchProcess):
                family = (process, *process.children(recursive=True))  # NGINX's workers do not name a folder
                for one in family:
                    one.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def _processes(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if process.pid != os.getpid() and str(self.home) in " ".join(process.cmdline()):
                    yield process
