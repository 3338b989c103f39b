"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio

from bluegreen.ports.clock import Clock

START = 1_700_000_000.0
"""Where time begins unless a test says otherwise: UNIX seconds of a day like any other."""


class FakeClock:
    """Time passes only in :meth:`advance`, which wakes every wait whose deadline has then passed.

    Woken tasks run when the test next yields to the event loop.
    """

    def __init__(self, now: float = START) -> None:
        self._now = now
        self._waits: dict[asyncio.Timeout, float] = {}

    def now(self) -> float:
        return self._now

    async def wait(self, event: asyncio.Event, timeout: float | None) -> bool:
        if event.is_set() or (timeout is not None and timeout <= 0):
            await asyncio.sleep(0)
            return event.is_set()
        try:
            # A real timeout without a deadline: only ``advance`` ever lets it expire.
            async with asyncio.timeout(None) as pending:
                if timeout is not None:
                    self._waits[pending] = self._now + timeout
                try:
                    await event.wait()
                finally:
                    self._waits.pop(pending, None)
        except TimeoutError:
            return event.is_set()
        return True

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` (not negative) pass."""
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self._now += seconds
        for pending, deadline in list(self._waits.items()):
            if deadline <= self._now:
                del self._waits[pending]
                pending.reschedule(0)

    @property
    def next_deadline(self) -> float | None:
        """UNIX seconds of the first wait that will end by itself; ``None`` while nobody waits so."""
        return min(self._waits.values(), default=None)


_: type[Clock] = FakeClock
