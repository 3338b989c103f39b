"""Clients of streams, at the level of ASGI: one that reads, one that takes nothing, one that vanishes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from starlette.types import ASGIApp, Message, Scope


class Client:
    """Takes nothing that is sent, and never hangs up by itself."""

    def __init__(self) -> None:
        self.cut = False
        self.gone = asyncio.Event()
        self.asked = False

    async def run(self, app: ASGIApp, path: str, token: str, query: str = "") -> None:
        state: dict[str, Any] = {"bluegreen.hang_up": self.hang_up}
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"box"), (b"authorization", f"Bearer {token}".encode())],
            "client": ("10.0.0.9", 1),
            "server": ("box", 443),
            "state": state,
        }
        await app(scope, self._receive, self.send)

    def hang_up(self) -> None:
        self.cut = True

    async def send(self, message: Message) -> None:
        await asyncio.Event().wait()

    async def _receive(self) -> Message:
        if not self.asked:
            self.asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}


class Reader(Client):
    """Takes what is sent as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""
        self._told: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    @classmethod
    @asynccontextmanager
    async def at(cls, app: ASGIApp, path: str, token: str, query: str = "") -> AsyncIterator[Self]:
        one = cls()
        task = asyncio.create_task(one.run(app, path, token, query))
        try:
            yield one
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def next(self, kind: str) -> str:
        """Return the data of the next event, past beats unless ``kind`` is one; it has to be a ``kind``."""
        while True:
            async with asyncio.timeout(60):
                found, data = await self._told.get()
            if found == kind:
                return data
            assert found == "beat", (found, data)

    async def send(self, message: Message) -> None:
        self._text += message.get("body", b"").decode()
        *whole, self._text = self._text.split("\r\n\r\n")
        for block in whole:
            fields = dict(line.split(": ", 1) for line in block.split("\r\n") if not line.startswith(":"))
            if fields:
                self._told.put_nowait((fields.get("event", ""), fields.get("data", "")))
