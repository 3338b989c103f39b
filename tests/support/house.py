"""A whole installation for end-to-end tests: a real controller process, its balancer, its instances.

A house has its own state folder and port, so that any number of them stand side by side. Whatever
happened to the controller in between, :meth:`House.close` leaves no process behind.
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
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil

from bluegreen.cli.files import document
from bluegreen.domain.check import HealthCheck
from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.routing import Listener
from bluegreen.domain.spec import Link, ProcessSpec, RestartPolicy, ServiceSpec
from bluegreen.domain.stack import BalancerSpec, RouteSpec, StackSpec
from bluegreen.load import LoadProcess, Plan
from tests.support.ports import free_port
from tests.support.waiting import until

CHECK = HealthCheck(method="OPTIONS", path="/ping", interval=0.5, timeout=0.5, rise=1, fall=2)
APP = "tactivos/devops-challenge"
LIGHT = {"rate": 200.0, "keepalive": 8, "oneshot": 4, "post": 4, "slow": 3}
"""Load that leaves the two cores of a small machine to what is measured."""


class House:
    """``settings`` are further settings of the controller, by name (``registry="consul://…"``)."""

    def __init__(self, runtime: str = "process", docker_url: str | None = None, **settings: str) -> None:
        self.settings = settings
        self.runtime = runtime
        self.docker_url = docker_url
        self.home = Path(tempfile.mkdtemp(prefix="bg-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @asynccontextmanager
    async def standing(
        cls, runtime: str = "process", docker_url: str | None = None, **settings: str
    ) -> AsyncIterator[House]:
        house = cls(runtime, docker_url, **settings)
        try:
            await house.start()
            yield house
        except BaseException:
            print(house.log()[-5000:])  # pytest shows it beside the failure
            raise
        finally:
            await house.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        chosen = {"BLUEGREEN_HOME": str(self.home), "BLUEGREEN_RUNTIME": self.runtime, "NO_COLOR": "1"}
        if self.docker_url:
            chosen["BLUEGREEN_DOCKER_URL"] = self.docker_url
        chosen |= {f"BLUEGREEN_{name.upper()}": value for name, value in self.settings.items()}
        kept = {k: v for k, v in os.environ.items() if not k.startswith("BLUEGREEN_")}
        return kept | chosen

    async def start(self) -> None:
        """Start the controller; return once it answers."""
        with (self.home / "controller.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bluegreen", "serve"],
                env=self.environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        await until(self._answers, timeout=20.0)

    async def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the controller ended: {self.log()[-3000:]}")
        try:
            await self.get("/v1/about")
        except httpx.HTTPError:
            return False
        return True

    def kill(self) -> None:
        """End the controller as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End the controller as an operator would; return its exit code."""
        return self._end(signal.SIGTERM)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Freeze the controller while the block runs: it sees and does nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(20)

    def log(self) -> str:
        return (self.home / "controller.log").read_text(errors="replace")

    async def close(self) -> None:
        with contextlib.suppress(Exception):
            if self._process is None or self._process.poll() is not None:
                await self.start()
            for stack in await self.get("/v1/stacks"):
                await self.request("DELETE", f"/v1/stacks/{stack['name']}")
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()
            if self._process.poll() is None:
                self.kill()
        for process in (*self.processes(), *self._instances()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def processes(self, *words: str) -> list[psutil.Process]:
        """Return the processes that belong to this house (their command or environment names its
        folder), whose command line holds all ``words``."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                command = " ".join(process.cmdline())
                if process.pid == os.getpid() or not all(word in command for word in words):
                    continue
                if str(self.home) in command or process.environ().get("BLUEGREEN_HOME") == str(self.home):
                    found.append(process)
        return found

    def _instances(self) -> list[psutil.Process]:
        """Return the processes of instances that the controller could not end any more."""
        found = []
        for pid in self.pids().values():
            with contextlib.suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(pid))
        return found

    def pids(self) -> dict[str, int]:
        """Return the process of each instance that runs on the process runtime, by name."""
        found = {}
        for path in (self.home / "process" / "instances").glob("*.json"):
            with contextlib.suppress(FileNotFoundError, KeyError, TypeError):
                record = json.loads(path.read_text())
                found[record["spec"]["name"]] = int(record["process"]["pid"])
        return found

    async def request(
        self, method: str, path: str, body: Any = None, timeout: float = 60.0
    ) -> httpx.Response:
        transport = httpx.AsyncHTTPTransport(uds=str(self.home / "bluegreen.sock"), verify=False)
        async with httpx.AsyncClient(
            verify=False, transport=transport, base_url="http://controller"
        ) as client:
            return await client.request(method, path, json=body, timeout=timeout)

    async def get(self, path: str) -> Any:
        answer = await self.request("GET", path)
        answer.raise_for_status()
        return answer.json()

    async def post(self, path: str, body: Any = None) -> Any:
        """POST and return the answer. Raises :class:`Refused` with the problem document."""
        answer = await self.request("POST", path, {} if body is None else body)
        if answer.is_error:
            raise Refused(answer.json())
        return answer.json()

    async def up(self, stack: StackSpec) -> None:
        """Bring a stack up; return once all its rollouts have settled."""
        answer = await self.request("PUT", f"/v1/stacks/{stack.name}", document(stack))
        if answer.is_error:
            raise Refused(answer.json())
        for rollout in answer.json()["rollouts"]:
            ended = await self.settled(rollout["id"])
            assert ended["outcome"]["exit_code"] == 0, ended["outcome"]

    async def settled(self, id: str, timeout: float = 60.0) -> dict[str, Any]:
        """Return the rollout once users are served by where it leads, or it has failed."""
        return await self._when(
            id, lambda r: r["phase"] in FINAL or (r["settled"] and r["phase"] == "baking"), timeout
        )

    async def final(self, id: str, timeout: float = 60.0) -> dict[str, Any]:
        return await self._when(id, lambda r: r["phase"] in FINAL, timeout)

    async def in_phase(self, id: str, phase: str, timeout: float = 30.0) -> dict[str, Any]:
        return await self._when(id, lambda r: r["phase"] == phase, timeout)

    async def _when(self, id: str, true: Callable[[dict[str, Any]], bool], timeout: float) -> dict[str, Any]:
        found: dict[str, Any] = {}

        async def look() -> bool:
            nonlocal found
            found = await self.get(f"/v1/rollouts/{id}")
            return true(found)

        await until(look, timeout=timeout)
        return found

    async def deploy(self, service: str, tag: str) -> dict[str, Any]:
        """Deploy and return the rollout once it has settled or failed."""
        began = await self.post(f"/v1/services/{service}/deploy", {"image": f"{APP}:{tag}"})
        return await self.settled(began["rollout"]["id"])

    async def switch(self, route: str, target: str) -> dict[str, Any]:
        began = await self.post(f"/v1/routes/{route}/switch", {"target": target})
        return await self.settled(began["rollout"]["id"])

    async def tell(self, instance: str, wish: str) -> None:
        """Have one instance of the sample application do ``wish`` (its ``/control``), past the balancer."""
        (found,) = [i for i in await self.get("/v1/instances") if i["name"] == instance]

        async def heard() -> bool:
            try:
                await client.post(f"http://{found['address']}/control?do={wish}", timeout=2.0)
            except httpx.ConnectError:
                return False  # it does not listen yet
            except httpx.TransportError:
                return True  # told to exit or to freeze, it does not answer any more
            return True

        async with httpx.AsyncClient(verify=False) as client:
            await until(heard)

    async def version(self) -> str:
        """Return the version that a new user gets now."""
        async with httpx.AsyncClient(verify=False) as client:
            return (await client.get(f"{self.url}/version", timeout=5.0)).headers["x-version"]

    async def cli(
        self,
        *arguments: str,
        stdin: str | None = None,
        timeout: float = 60.0,
        environment: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run the command line as a user would; ``environment`` is added to this house's."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bluegreen",
            *arguments,
            env={**self.environment, **(environment or {})},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(timeout):
            out, err = await process.communicate(stdin.encode() if stdin is not None else b"")
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())

    def load(self, **changes: Any) -> Plan:
        return Plan(url=self.url, **({"duration": 60.0, **LIGHT} | changes))

    @asynccontextmanager
    async def users(self, **changes: Any) -> AsyncIterator[LoadProcess]:
        """Have users at work; they are served already when the block begins."""
        async with await LoadProcess.start(self.load(**changes)) as load:
            await until(lambda: _served(load), timeout=10.0)
            yield load


FINAL = frozenset({"done", "aborted", "reverted"})


async def _served(load: LoadProcess) -> bool:
    return (await load.progress()).requests > 50


class Ran:
    """What a command did."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    def json(self) -> Any:
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


class Refused(Exception):
    """The API refused; ``document`` is its problem document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__(json.dumps(document))
        self.document = document


def sample(name: str, tag: str, *arguments: str, **fields: Any) -> ServiceSpec:
    """Return a service that runs the sample application, in a container or as a process."""
    command = ("{python}", "-m", "bluegreen.sample.app", "--version", "{tag}", "--port", "{port}")
    spec = ServiceSpec(
        name=name,
        image=f"{APP}:{tag}",
        process=ProcessSpec(command=(*command, *arguments)),
        check=CHECK,
        restart=RestartPolicy.ALWAYS,
        rollout=RolloutPolicy(start_deadline=20.0, bake=60.0, drain=10.0),
    )
    return replace(spec, **fields)


def two_colors(port: int) -> StackSpec:
    """Return a stack in Docker Cloud's way: two declared colors behind ``lbx``, green live."""
    return StackSpec(
        name="cloud",
        services=(sample("webx-green", "0.0.1"), sample("webx-blue", "0.0.2")),
        balancers=(
            BalancerSpec(
                name="lbx",
                links=(Link(service="webx-green", alias="webx-green"),),
                listeners=(Listener(port=port, address="127.0.0.1"),),
                check=CHECK,
            ),
        ),
        routes=(
            RouteSpec(
                name="lbx",
                balancer="lbx",
                port=port,
                target="webx-green",
                candidates=("webx-green", "webx-blue"),
            ),
        ),
    )


def managed(port: int, *arguments: str, tag: str = "0.0.1", **fields: Any) -> StackSpec:
    """Return a stack with one managed service ``web`` whose colors alternate."""
    return StackSpec(
        name="shop",
        services=(sample("web", tag, *arguments, **fields),),
        balancers=(
            BalancerSpec(name="balancer", listeners=(Listener(port=port, address="127.0.0.1"),), check=CHECK),
        ),
        routes=(RouteSpec(name="web", balancer="balancer", port=port, target="web", candidates=("web",)),),
    )
