"""A real Consul of a test's own: one server with its data in a folder, on free ports of this machine."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from bluegreen.drivers.registries.consul import ConsulRegistry, Options, open_registry
from bluegreen.ports.registry import Registry
from tests.support.freezing import freeze
from tests.support.images import REPOSITORY
from tests.support.ports import free_port
from tests.support.waiting import until


@functools.cache
def program() -> Path:
    """Return Consul, fetched when the cache lacks it."""
    cache = Path(os.environ.get("BLUEGREEN_CACHE") or REPOSITORY / ".cache")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "consul.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fetch = [REPOSITORY / "scripts" / "fetch-consul", cache / "consul"]
        done = subprocess.run(fetch, check=True, capture_output=True, text=True, timeout=300)
    return Path(done.stdout.strip())


class Consul:
    """One agent that is a server, too, and its own leader. ``extra`` is added to its configuration."""

    def __init__(self, folder: Path, extra: Mapping[str, object]) -> None:
        self._folder = folder
        self._extra = extra
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.dns_port = 0

    @property
    def address(self) -> str:
        return self.url.removeprefix("http://")

    def start(self) -> None:
        """Start it; its ports stay the same from one start to the next, so that clients find it again."""
        if not self.url:
            self._write_configuration()
        with (self._folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [program(), "agent", f"-config-file={self._folder / 'consul.json'}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def _write_configuration(self) -> None:
        http, dns, serf, server = (free_port() for _ in range(4))
        self.url, self.dns_port = f"http://127.0.0.1:{http}", dns
        configuration = {
            "server": True,
            "bootstrap_expect": 1,
            "data_dir": str(self._folder / "data"),
            "node_name": "house",
            "bind_addr": "127.0.0.1",
            "client_addr": "127.0.0.1",
            "ports": {
                "http": http,
                "dns": dns,
                "serf_lan": serf,
                "serf_wan": -1,
                "server": server,
                "grpc": -1,
            },
            "performance": {"raft_multiplier": 1},
            "log_level": "ERR",
            "disable_update_check": True,
            **self._extra,
        }
        (self._folder / "consul.json").write_text(json.dumps(configuration))

    async def until_ready(self, token: str = "") -> None:
        """Wait until it is its own leader and its node is in the catalog."""
        headers = {"X-Consul-Token": token} if token else {}
        async with aiohttp.ClientSession(headers=headers) as session:

            async def ready() -> bool:
                assert self._process is not None
                assert self._process.poll() is None, (self._folder / "output.log").read_text()
                try:
                    timeout = aiohttp.ClientTimeout(total=5)
                    async with session.get(f"{self.url}/v1/catalog/nodes", timeout=timeout) as answer:
                        return answer.status == 200 and bool(await answer.json())
                except (aiohttp.ClientError, TimeoutError):
                    return False

            await until(ready, 60)

    def freeze(self) -> None:
        assert self._process is not None
        freeze(self._process.pid)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()  # even when it is stopped
            self._process.wait(10)
            self._process = None

    def forget(self) -> None:
        shutil.rmtree(self._folder / "data")

    def checks_on_disk(self) -> list[dict[str, Any]]:
        """Return the checks as the agent keeps them, with what it shows to nobody."""
        files = (self._folder / "data" / "checks").iterdir()
        return [json.loads(file.read_text())["ChkType"] for file in files]

    async def ask(self, method: str, path: str, body: object = None, **params: str) -> Any:
        """Return what Consul answers to anybody, decoded. Fails the test on a refusal."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method,
                f"{self.url}/v1/{path}",
                params=params,
                json=body,
                timeout=aiohttp.ClientTimeout(total=10),
            ) as answer,
        ):
            text = await answer.text()
            assert answer.status in (200, 404), text
            return json.loads(text) if text.strip().startswith(("{", "[", '"', "t", "f")) else None

    async def clear(self) -> None:
        """Take out all services and keys: for the next test."""
        async with open_registry(Options(address=self.address)) as registry:
            for stack in ("shop", "shop-two"):
                await registry.announce(stack, ())
        for key in await self.ask("GET", "agent/services"):
            await self.ask("PUT", f"agent/service/deregister/{key}")
        await self.ask("DELETE", "kv/", recurse="")

        async def is_empty() -> bool:
            return set(await self.ask("GET", "catalog/services")) <= {"consul"}

        await until(is_empty)


@contextmanager
def a_consul(**extra: object) -> Iterator[Consul]:
    """Yield a Consul that is started, and killed in the end."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # Consul waits for the disk at every change
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        consul = Consul(Path(folder), extra)
        consul.start()
        try:
            yield consul
        finally:
            consul.kill()


class ConsulStage:
    """What can befall the Consul that a class of tests shares."""

    def __init__(self, consul: Consul) -> None:
        self.consul = consul
        self.options = Options(address=consul.address, deadline=1.5)

    def client(self) -> AbstractAsyncContextManager[Registry]:
        return open_registry(self.options)

    def registry(self) -> AbstractAsyncContextManager[ConsulRegistry]:
        return open_registry(self.options)

    async def freeze(self) -> None:
        self.consul.freeze()

    async def thaw(self) -> None:
        self.consul.thaw()

    async def kill(self) -> None:
        self.consul.kill()

    async def revive(self, *, empty: bool = False) -> None:
        if empty:
            self.consul.forget()
        self.consul.start()
        await self.consul.until_ready()

    async def spoil(self, stack: str, instance: str) -> None:
        body = {"ID": f"bluegreen:{stack}:{instance}", "Name": "web", "Tags": [stack]}
        await self.consul.ask("PUT", "agent/service/register", {**body, "Meta": {"bluegreen-stack": stack}})
        await until(lambda: self._shows(body["ID"]))

    async def lose(self, stack: str, key: str) -> None:
        await self.consul.ask("DELETE", f"kv/{self.options.path}/{stack}/{key}")

    async def _shows(self, service: object) -> bool:
        held = await self.consul.ask("GET", "catalog/service/web")
        return service in [one["ServiceID"] for one in held]


@asynccontextmanager
async def consul_stage(consul: Consul) -> AsyncIterator[ConsulStage]:
    """Yield a stage on a Consul that may have been used before, and is empty again."""
    await consul.until_ready()
    await consul.clear()
    yield ConsulStage(consul)
