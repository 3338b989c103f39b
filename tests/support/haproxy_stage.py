"""The real HAProxy on the stage of the balancer contract, with small HTTP instances behind it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from bluegreen.domain.naming import PoolId
from bluegreen.drivers.balancers.haproxy import HaproxyBalancer, Options, open_balancer
from bluegreen.drivers.balancers.haproxy.runtime_api import RuntimeApi
from bluegreen.drivers.balancers.haproxy.stats import state_rows
from tests.support.ports import free_port

Way = Mapping[str, Any]
"""How HAProxy is run: the driver's options besides its folder."""

BUNDLED: Way = {}


class Backend:
    """One instance: answers with its pool's name, holds requests to ``/hold``, counts what arrives.

    ``well`` is what its ``/ping`` says; users that ask for ``/fail`` get a 503 all the same.
    """

    def __init__(self, pool: PoolId) -> None:
        self.pool = pool
        self.well = True
        self.checks = 0
        self.seen: Counter[str] = Counter()
        self.release = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> tuple[str, int]:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return host, port

    async def die(self) -> None:
        """End at once: the port is closed and every connection is reset."""
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._writers):
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._one(reader, writer):
                pass
        self._writers.discard(writer)
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head.splitlines()[1:])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        checked = path == "/ping"
        self.checks += checked
        if not checked:
            self.seen[f"{method} {path} {body.decode()}".strip()] += 1
        if path.startswith("/stream"):
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            await reader.read()
            return False
        if path.startswith("/tunnel"):
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            while said := await reader.read(100):
                writer.write(said)
            return False
        if path.startswith("/hold"):
            await self.release.wait()
        elif path.startswith("/slow"):
            await asyncio.sleep(0.3)
        well = self.well if checked else not path.startswith("/fail")
        status = "200 OK" if well else "503 Sick"
        answer = self.pool.encode()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(answer)}\r\n\r\n".encode() + answer)
        await writer.drain()
        return headers.get("connection", "").lower() != "close"


class HaproxyStage:
    """See :class:`bluegreen.testing.balancer_stage.Stage`."""

    refused_line = "no-such-keyword at all"

    def __init__(self, folder: Path, things: AsyncExitStack, way: Way) -> None:
        self.folder = folder
        self.way = way
        self.backends: dict[tuple[str, int], Backend] = {}
        self.balancer: HaproxyBalancer
        self._things = things
        self._opened = AsyncExitStack()

    def options(self) -> Options:
        return Options(state_dir=self.folder / "state", stop_grace=0.5, **self.way)

    async def reopen(self) -> HaproxyBalancer:
        await self._opened.aclose()
        self.balancer = await self._opened.enter_async_context(open_balancer(self.options()))
        return self.balancer

    async def close(self) -> None:
        await self.balancer.stop()
        await self._opened.aclose()
        for backend in self.backends.values():
            backend.release.set()
            await backend.die()

    def api(self) -> RuntimeApi:
        return RuntimeApi(self.folder / "state", deadline=2.0)

    async def servers_of(self, pool: PoolId) -> set[str]:
        """The names of all servers that HAProxy itself knows in a pool."""
        return {row["srv_name"] for row in state_rows(await self.api().ask(f"show servers state {pool}"))}

    async def has_only(self, pool: PoolId, names: set[str]) -> bool:
        """Whether HAProxy knows these servers in a pool, each with its twin, and no others."""
        return await self.servers_of(pool) == names | {f"{name}:last" for name in names}

    def processes(self) -> list[psutil.Process]:
        """Every HAProxy process of this stage, found by the folder it runs in."""
        wanted = str(self.folder / "state")
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if wanted in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    async def kill(self) -> None:
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)

    async def instance(self, pool: PoolId) -> tuple[str, int]:
        backend = Backend(pool)
        address = await backend.open()
        self.backends[address] = backend
        return address

    async def fall_sick(self, host: str, port: int) -> None:
        self.backends[host, port].well = False

    async def get_well(self, host: str, port: int) -> None:
        self.backends[host, port].well = True

    async def status(self, port: int, path: str = "/", method: str = "GET") -> int:
        return (await self.request(port, path=path, method=method))[0]

    @asynccontextmanager
    async def stream(self, port: int) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /stream HTTP/1.1\r\nHost: any.example\r\n\r\n")
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        reading = asyncio.create_task(_to_the_end(reader))

        async def ended() -> bool:
            return reading.done()

        try:
            yield ended
        finally:
            writer.transport.abort()
            await reading

    async def ask(self, port: int, host: str = "any.example", path: str = "/") -> PoolId | None:
        status, body = await self.request(port, host, path)
        if status == 0:
            raise ConnectionResetError("the connection ended without an answer")
        assert status in (200, 503), (status, body)
        return PoolId(body) if status == 200 else None

    async def request(
        self, port: int, host: str = "any.example", path: str = "/", method: str = "GET", body: str = ""
    ) -> tuple[int, str]:
        """Send one request on a new connection; status 0 when the connection ended without an answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            head = f"{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            answer = (await reader.read()).decode()
        except ConnectionError:
            return 0, ""
        finally:
            writer.transport.abort()
        if not answer:
            return 0, ""
        return int(answer.split()[1]), answer.partition("\r\n\r\n")[2]

    @asynccontextmanager
    async def hold(self, port: int) -> AsyncIterator[None]:
        for backend in self.backends.values():
            backend.release.clear()
        asking = asyncio.create_task(self.request(port, path="/hold"))
        yield
        for backend in self.backends.values():
            backend.release.set()
        status, _ = await asking
        assert status == 200

    def free_port(self) -> int:
        return free_port()

    def taken_port(self) -> int:
        listener = self._things.enter_context(socket.create_server(("127.0.0.1", 0)))
        port: int = listener.getsockname()[1]
        return port


@asynccontextmanager
async def haproxy_stage(way: Way = BUNDLED) -> AsyncIterator[HaproxyStage]:
    async with AsyncExitStack() as things:
        folder = things.enter_context(TemporaryDirectory(prefix="bg-"))
        stage = HaproxyStage(Path(folder), things, way)
        await stage.reopen()
        try:
            yield stage
        finally:
            await stage.close()


async def _to_the_end(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        await reader.read()


def _reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
