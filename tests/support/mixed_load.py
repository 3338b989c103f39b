"""Clients of four kinds that keep asking a balancer until told to stop, and count what failed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class MixedLoad:
    """``answered`` counts answers by body, ``failed`` describes every request that got none or a bad one."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._going = True
        self.answered: Counter[str] = Counter()
        self.failed: list[str] = []

    async def keep_alive(self, method: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while self._going:
                if await self._ask(reader, writer, method, "/", close=False):
                    writer.close()
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                await asyncio.sleep(0.001)
        finally:
            writer.close()

    async def one_shot(self, path: str) -> None:
        while self._going:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            await self._ask(reader, writer, "GET", path, close=True)
            writer.close()

    def stop(self) -> None:
        self._going = False

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        method: str,
        path: str,
        *,
        close: bool,
    ) -> bool:
        """Send one request; return whether the connection is over."""
        what = f"{method} {path} {'one-shot' if close else 'kept'}"
        connection = "Connection: close\r\n" if close else ""
        body = "x" if method == "POST" else ""
        try:
            head = f"{method} {path} HTTP/1.1\r\nHost: any.example\r\n{connection}"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(answer.partition("content-length: ")[2].split()[0])
            text = (await reader.readexactly(length)).decode()
        except (OSError, asyncio.IncompleteReadError) as error:
            self.failed.append(f"{what}: {error!r}")
            return True
        if " 200 " not in answer.splitlines()[0]:
            self.failed.append(f"{what}: {answer.splitlines()[0]}")
        self.answered[text] += 1
        return "connection: close" in answer


@asynccontextmanager
async def mixed_load(port: int) -> AsyncIterator[MixedLoad]:
    """Load ``port`` inside the context; its requests have all ended after it."""
    load = MixedLoad(port)
    async with asyncio.TaskGroup() as clients:
        for method in ("GET", "GET", "POST"):
            clients.create_task(load.keep_alive(method))
        for path in ("/", "/", "/slow", "/slow"):
            clients.create_task(load.one_shot(path))
        try:
            yield load
        finally:
            load.stop()
