"""The real prober keeps the contract, on real sockets."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress

from bluegreen.drivers.probers.http import HttpProber
from bluegreen.ports.prober import Prober
from bluegreen.testing.prober_contract import Address, ProberContract, Stage
from tests.support.certificates import self_signed


class RealStage:
    """Targets are servers of this process, on ports that the system picks."""

    def __init__(self, started: AsyncExitStack) -> None:
        self.prober: Prober = HttpProber()
        self._started = started

    async def serving(self, *statuses: int, body: str = "", tls: bool = False) -> Address:
        answers = list(statuses)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            status = answers.pop(0) if len(answers) > 1 else answers[0]
            content = body.encode()
            head = f"HTTP/1.1 {status} Test\r\nContent-Length: {len(content)}\r\n\r\n"
            writer.write(head.encode() + content)
            await writer.drain()

        return await self._listen(serve, self_signed() if tls else None)

    async def deaf(self) -> Address:
        """Fill the queue of a listener that accepts nothing: the kernel then drops who knocks."""
        listener = self._started.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address: Address = listener.getsockname()
        for _ in range(4):
            knocking = self._started.enter_context(socket.socket())
            knocking.setblocking(False)
            with suppress(BlockingIOError):
                knocking.connect(address)
        return address

    async def silent(self) -> Address:
        async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read()

        return await self._listen(serve)

    async def absent(self) -> Address:
        # Bound and never listening: refused, and nobody else can get the port meanwhile.
        bound = self._started.enter_context(socket.socket())
        bound.bind(("127.0.0.1", 0))
        return "127.0.0.1", bound.getsockname()[1]

    @asynccontextmanager
    async def blinded(self) -> AsyncIterator[None]:
        """Run out of file descriptors: whoever asks for one now is refused by the kernel."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    async def _listen(
        self,
        serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        tls: ssl.SSLContext | None = None,
    ) -> Address:
        async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                    await serve(reader, writer)
            finally:
                writer.close()

        started = await asyncio.start_server(closing, "127.0.0.1", 0, ssl=tls)
        server = await self._started.enter_async_context(started)
        return "127.0.0.1", server.sockets[0].getsockname()[1]


@asynccontextmanager
async def _stage() -> AsyncIterator[Stage]:
    async with AsyncExitStack() as started:
        yield RealStage(started)


class TestHttpProber(ProberContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return _stage()
