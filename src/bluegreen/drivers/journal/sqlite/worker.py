"""One thread for one database: the event loop never waits for a disk.

Rule: everything that touches the connection runs here, one call after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from bluegreen.domain.errors import BluegreenError, OutcomeUnknown, Temporary

T = TypeVar("T")


class Worker:
    """Runs calls in its thread, each bounded by ``deadline`` seconds (the wait for its turn included)."""

    def __init__(self, path: Path, deadline: float) -> None:
        self._path = path
        self._deadline = deadline
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    async def run(self, call: Callable[[], T]) -> T:
        """Return what ``call`` returns.

        A caller that is cancelled takes back a call that has not begun; one that has begun goes on.
        """
        future = self._thread.submit(call)
        try:
            async with asyncio.timeout(self._deadline):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise self._late(begun=not future.cancelled()) from None

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _late(self, *, begun: bool) -> BluegreenError:
        kind = OutcomeUnknown if begun else Temporary
        return kind(
            f"The journal {self._path} did not answer within {self._deadline:g} s.",
            code="journal_slow",
            evidence=(("journal", str(self._path)), ("the call", "had begun" if begun else "had not begun")),
            hint="Look at the disk that holds it (full, failing, or on a network that is gone).",
        )
