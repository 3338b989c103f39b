"""Strangers by TCP who say nothing, or not enough: each would hold a file of the controller for ever."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from starlette.types import Receive, Scope, Send

from bluegreen.api.access import entrance
from bluegreen.api.access.entrance import TCP
from bluegreen.api.serving import Listener, serving

WHOLE = b"GET / HTTP/1.1\r\nHost: box\r\n\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def connected() -> AsyncIterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as stranger:
        stranger.setblocking(False)
        async with asyncio.timeout(30), serving(app, [Listener(listener, TCP)]):
            await asyncio.get_running_loop().sock_connect(stranger, listener.getsockname())
            yield stranger


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: bo"], ids=["nothing", "half a head"])
def test_who_says_nothing_whole_is_hung_up_on(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "PATIENCE", 0.05)

    async def main() -> None:
        async with connected() as stranger:
            stranger.send(said)
            with suppress(ConnectionResetError):
                assert await asyncio.get_running_loop().sock_recv(stranger, 1) == b""

    asyncio.run(main())


def test_who_has_asked_may_think_before_the_next_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "PATIENCE", 0.05)

    async def main() -> None:
        loop, passed = asyncio.get_running_loop(), asyncio.Event()
        async with connected() as stranger:
            for _ in range(2):
                await loop.sock_sendall(stranger, WHOLE)
                assert (await loop.sock_recv(stranger, 1_000)).startswith(b"HTTP/1.1 204")
                loop.call_later(2 * entrance.PATIENCE, passed.set)
                await passed.wait()

    asyncio.run(main())
