"""Reads HAProxy's ring of requests over its admin socket, by one question whose answer never ends.

Reading in gulps with pauses between costs a small part of what a wake-up for each line would. A connection
that stays open would keep a HAProxy alive that is to end: so it is closed when the driver says so, and
when, asked every few seconds, a worker no longer answers for itself.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing, suppress

from bluegreen.domain.errors import BluegreenError
from bluegreen.drivers.balancers.haproxy.request_log import NO_RING, QUESTION, read
from bluegreen.drivers.balancers.haproxy.runtime_api import RuntimeApi
from bluegreen.ports.requests import Batch

PAUSE = 0.25
"""Seconds between two gulps while few requests come."""

_LONG_PAUSE = 1.0
"""The same while many do: once the socket is full, HAProxy sends them by the hundred, not one by one."""

_HURRY = 0.01
"""The same while more waits than one gulp: others of the controller come to their turn."""

_GULP = 128 * 1024
"""Bytes that are read and understood at one go, a few milliseconds' work."""

_MANY = 16 * 1024
"""Bytes of a gulp after which more is likely to wait."""

_LOOK = 2.0
"""Seconds after which the worker is asked again whether it is the one that serves."""

_PATIENCE = 1.0
"""Seconds until the next attempt at a HAProxy that is away."""

_PID = re.compile(rb"^Pid: (\d+)$", re.MULTILINE)


class RequestStream:
    """See the module. ``serves`` says whether the worker of that number is the one that accepts."""

    def __init__(self, api: RuntimeApi, serves: Callable[[int], Awaitable[bool]]) -> None:
        self._api = api
        self._serves = serves
        self._open: socket.socket | None = None

    def hang_up(self) -> None:
        """Let go of the worker that is read: it is to end, or another one serves."""
        if self._open is not None:
            with suppress(OSError):
                self._open.shutdown(socket.SHUT_RDWR)

    async def batches(self) -> AsyncIterator[Batch]:
        """Yield without end. A HAProxy that is away, or logs no requests, is asked again and again."""
        while True:
            try:
                connection = await self._api.open(f"show info;{QUESTION}")
            except BluegreenError:
                await asyncio.sleep(_PATIENCE)
                continue
            with closing(connection):
                self._open = connection
                try:
                    async for batch in self._read(connection):
                        yield batch
                finally:
                    self._open = None
            await asyncio.sleep(PAUSE)

    async def _read(self, connection: socket.socket) -> AsyncIterator[Batch]:
        worker, rest = await self._begin(connection)
        looked = time.monotonic()
        busy = False
        while worker:
            gulp = await self._gulp(connection)
            if gulp == b"":
                return
            heard = rest + (gulp or b"")
            if heard.startswith(NO_RING):
                return
            lines, newline, rest = heard.rpartition(b"\n")
            rest = rest[-_GULP:]
            if newline:
                yield read(lines.lstrip(b"\n"))
            if time.monotonic() - looked >= _LOOK:
                looked = time.monotonic()
                if not await self._serves(worker):
                    return
            full = gulp is not None and len(gulp) >= _MANY
            await asyncio.sleep(_HURRY if full else _LONG_PAUSE if busy else PAUSE)
            busy = full

    async def _begin(self, connection: socket.socket) -> tuple[int, bytes]:
        """Return the number of the worker that answers (0: none did), and what it said beyond that."""
        head = b""
        while b"\n\n" not in head:
            gulp = await self._gulp(connection)
            if not gulp:
                return 0, b""
            head += gulp
        info, _, rest = head.partition(b"\n\n")
        found = _PID.search(info)
        return (int(found[1]) if found else 0), rest

    async def _gulp(self, connection: socket.socket) -> bytes | None:
        """Return what there is, ``b""`` at the end, ``None`` when nothing came for a while."""
        try:
            async with asyncio.timeout(_LOOK):
                return await asyncio.get_running_loop().sock_recv(connection, _GULP)
        except TimeoutError:
            return None
        except OSError:
            return b""
