"""Answers that go on and on, and what one costs whose client is slow, deaf or gone: next to nothing.

Each piece has to be taken within :data:`PATIENCE`; who takes none is hung up on, and what waits for him is
dropped. A browser or ``bluegreen events -f`` calls again by itself, with ``Last-Event-ID``.
Who vanished without a word is noticed by the kernel, as a sign of life is sent every :data:`PING`
(:mod:`bluegreen.api.access.entrance`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi.responses import StreamingResponse
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Message, Receive, Scope, Send

from bluegreen.api.access.entrance import HANG_UP

PATIENCE = 10.0
"""Seconds in which a client has to take what is sent."""

PING = 10.0
"""Seconds between two signs of life on a stream on which nothing happens."""


class EventStream(EventSourceResponse):
    """Server-sent events."""

    media_type = "text/event-stream"

    def __init__(self, told: AsyncIterable[ServerSentEvent]) -> None:
        super().__init__(told, ping=PING)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with _patient(scope, send) as bounded:
            await super().__call__(scope, receive, bounded)


class TextStream(StreamingResponse):
    """Plain text, as it comes. ``close`` is called at its end, also where nobody is there to be told."""

    media_type = "text/plain"

    def __init__(self, told: AsyncIterable[str], close: Callable[[], None]) -> None:
        super().__init__(told)
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with _patient(scope, send) as bounded:
                await super().__call__(scope, receive, bounded)
        finally:
            self._close()


class _Deaf(Exception):
    """A client did not take what it asked for."""


@asynccontextmanager
async def _patient(scope: Scope, send: Send) -> AsyncIterator[Send]:
    """Give a ``send`` with a deadline; hang up on who misses it."""

    async def bounded(message: Message) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await send(message)
        except TimeoutError as error:
            raise _Deaf from error

    try:
        yield bounded
    except* _Deaf:
        hang_up: Callable[[], None] | None = scope.get("state", {}).get(HANG_UP)
        if hang_up is not None:
            hang_up()
            await asyncio.sleep(0)  # the server hears of it before the answer counts as cut short
