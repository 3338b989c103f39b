"""Servers that answer as a test wants, broken or mean, and what our prober finds there."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.health import ProbeResult
from bluegreen.drivers.probers.http import HttpProber

CHECK = HealthCheck(path="/ping", timeout=5.0)
SHORT = HealthCheck(path="/ping", timeout=0.2)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Request:
    """What the server was asked last."""

    head = ""


async def listen(serve: Serve, tls: ssl.SSLContext | None = None) -> asyncio.Server:
    """Return a server that treats each connection with ``serve`` and then drops it."""

    async def dropping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await serve(reader, writer)
        finally:
            writer.transport.abort()

    return await asyncio.start_server(dropping, "127.0.0.1", 0, ssl=tls)


def probe(serve: Serve, check: HealthCheck = CHECK, tls: ssl.SSLContext | None = None) -> ProbeResult:
    """Return what the prober finds at a server that treats each connection with ``serve``."""

    async def main() -> ProbeResult:
        async with asyncio.timeout(30), await listen(serve, tls) as server:
            host, port = server.sockets[0].getsockname()
            return await HttpProber().probe(host, port, check)

    return asyncio.run(main())


def saying(*parts: bytes, then_wait: bool = False, request: Request | None = None) -> Serve:
    """Return a server that says this, whatever it was asked, and closes (or waits to be closed)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if request is not None:
            request.head = head.decode()
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        if then_wait:
            await reader.read()
        else:
            writer.close()
            await writer.wait_closed()

    return serve


def repeating(start: bytes, again: bytes, pause: float = 0.0) -> Serve:
    """Return a server that never comes to an end."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause)

    return serve
