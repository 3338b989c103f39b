"""Clients that keep their connections, some way off: what becomes of them when a balancer changes.

On loopback a client knows within microseconds that its connection was closed. Users are further away: a
request that is under way to a connection that is being closed is lost. A relay that passes everything on
after ``delay`` seconds, each way, stands for the distance.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

_REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"


@dataclass(slots=True)
class Kept:
    """``closed`` counts connections that were found closed when they were wanted again, ``lost`` requests
    without an answer; ``saved`` those of them that were answered when sent once more."""

    answered: int = 0
    closed: int = 0
    opened: int = 0
    lost: int = 0
    saved: int = 0

    def describe(self) -> str:
        return (
            f"{self.lost} of {self.answered + self.lost:,} requests lost ({self.saved} of them answered when "
            f"sent once more), {self.closed} connections found closed, {self.opened:,} opened"
        )


class _Client:
    def __init__(self, port: int, found: Kept, pause: float, seed: int) -> None:
        self._port = port
        self._found = found
        self._pause = pause
        self._random = random.Random(seed)
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self, going: Callable[[], bool]) -> None:
        while going():
            await asyncio.sleep(self._random.expovariate(1 / self._pause))
            if self._open is not None and self._open[0].at_eof():
                self._found.closed += 1
                self._leave()
            if await self._ask():
                self._found.answered += 1
                continue
            self._found.lost += 1
            saved = await self._ask()
            self._found.saved += saved
        self._leave()

    async def _ask(self) -> bool:
        """Send one request; return whether it was answered."""
        with suppress(OSError, asyncio.IncompleteReadError):
            if self._open is None:
                self._open = await asyncio.open_connection("127.0.0.1", self._port)
                self._found.opened += 1
            reader, writer = self._open
            writer.write(_REQUEST)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
            if b"connection: close" in head:
                self._leave()
            return b" 200 " in head.split(b"\r\n")[0]
        self._leave()
        return False

    def _leave(self) -> None:
        if self._open is not None:
            self._open[1].transport.abort()
            self._open = None


@asynccontextmanager
async def keeping(port: int, *, clients: int = 40, pause: float = 0.1) -> AsyncIterator[Kept]:
    """Have ``clients`` ask until the block ends, after random pauses of ``pause`` seconds on average."""
    found = Kept()
    going = True
    async with asyncio.TaskGroup() as tasks:
        for number in range(clients):
            tasks.create_task(_Client(port, found, pause, number).run(lambda: going))
        try:
            yield found
        finally:
            going = False


@asynccontextmanager
async def far_from(port: int, delay: float) -> AsyncIterator[int]:
    """Relay a free port to ``port``; everything, also an end, arrives ``delay`` seconds later."""
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        with suppress(OSError, asyncio.CancelledError):
            inner_reader, inner = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_pass(reader, inner, delay), _pass(inner_reader, writer, delay))
        connections.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tuple(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        while data := await reader.read(65536):
            loop.call_later(delay, writer.write, data)
    loop.call_later(delay, writer.close)
    await asyncio.sleep(delay)
