"""Mini servers that misbehave in exactly one way each: a load client that cannot see it is worthless."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from tests.support.ports import free_port


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.reader = reader
        self.writer = writer
        self.number = number

    async def request(self) -> tuple[bytes, bytes] | None:
        """Read one request; return (head, body), or None when the client closed."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return head, await self.reader.readexactly(length)

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def ok(self, body: bytes = b"ok", version: str = "1", extra: str = "") -> None:
        head = f"HTTP/1.1 200 OK\r\nX-Version: {version}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        self.send(head.encode() + body)

    async def serve(self, version: Callable[[], str] = lambda: "1") -> None:
        """Answer rightly, echoing bodies, until the client closes."""
        while found := await self.request():
            head, body = found
            self.ok(body or b"ok", version(), "Connection: close\r\n" if b"Connection: close" in head else "")
            if b"Connection: close" in head:
                return

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Handler = Callable[[Peer], Awaitable[None]]
Serve = Callable[[Handler], contextlib.AbstractAsyncContextManager[str]]


@asynccontextmanager
async def _serving(handler: Handler) -> AsyncIterator[str]:
    tasks: set[asyncio.Task[None]] = set()
    count = 0

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(Peer(reader, writer, count))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@pytest.fixture
def serving() -> Serve:
    """``async with serving(handler) as url``: a server whose connections are served by ``handler``."""
    return _serving


@pytest.fixture
def unused_url() -> str:
    """An address on which nothing listens."""
    return f"http://127.0.0.1:{free_port()}"
