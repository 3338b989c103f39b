"""Whether who was let in may stay: answers that go on and on outlive what opened the door to them.

Every stream looks again, before each piece and every :data:`AGAIN`: a token may have been withdrawn or have
expired, a session have ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from fastapi import Request

from bluegreen.api.access import guard
from bluegreen.api.context import Context
from bluegreen.domain.errors import BluegreenError

AGAIN = 2.0
"""Seconds after which a stream on which nothing happens looks again."""

T = TypeVar("T")


def still_welcome(request: Request, use: Context) -> bool:
    """Whether what let it in is still good: a session may have ended, a token been withdrawn."""
    try:
        guard.identify(request, use)
    except BluegreenError:
        return False
    return True


class WhileWelcome(AsyncIterator[T], Generic[T]):
    """What a source tells, for as long as its reader is welcome; then it ends."""

    def __init__(self, request: Request, use: Context, told: AsyncIterator[T]) -> None:
        self._request = request
        self._use = use
        self._told = told
        self._coming: asyncio.Task[T] | None = None

    async def begin(self, patience: float) -> None:
        """Wait for the first piece, at most ``patience`` seconds; raise what the source raises instead."""
        coming = self._next()
        try:
            await asyncio.wait([coming], timeout=patience)
        except BaseException:
            self.close()
            raise
        error = coming.exception() if coming.done() else None
        if error is not None and not isinstance(error, StopAsyncIteration):
            raise error

    async def __anext__(self) -> T:
        coming = self._next()
        try:
            while True:
                done, _ = await asyncio.wait([coming], timeout=AGAIN)
                if not still_welcome(self._request, self._use):
                    raise StopAsyncIteration
                if done:
                    return coming.result()
        finally:
            self.close()

    def close(self) -> None:
        """Give up what is waited for."""
        if self._coming is not None:
            self._coming.cancel()
            self._coming.add_done_callback(_heard)
            self._coming = None

    def _next(self) -> asyncio.Task[T]:
        if self._coming is None:
            self._coming = asyncio.create_task(_one(self._told))
        return self._coming


async def _one(told: AsyncIterator[T]) -> T:
    return await anext(told)


def _heard(coming: asyncio.Task[T]) -> None:
    """Take an error that nobody is there to be told of any more."""
    if not coming.cancelled():
        coming.exception()
