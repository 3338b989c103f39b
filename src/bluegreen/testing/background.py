"""Work beside a test: it runs for as long as the block does, and must not end before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator[None]:
    """Run ``work`` while the block does, then cancel it. Fails when it has ended by then, or raises."""
    task = asyncio.ensure_future(work)
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
