"""An event loop whose time does not pass by itself: when nobody can go on, it jumps to the next timer.

For tests of whatever waits: hours of back-off and deadlines take milliseconds and are the same in
every run. ``asyncio.timeout``, ``asyncio.sleep`` and :class:`VirtualClock` all follow it. Rule: nothing
that runs in it may wait for the outside world (threads, sockets, processes).
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from bluegreen.ports.clock import Clock

T = TypeVar("T")

START = 1_700_000_000.0
"""Where the clock begins: UNIX seconds of a day like any other."""


RESTLESS = 50_000
"""Turns of the loop in one moment after which somebody is taken to run in circles."""


class StandstillError(AssertionError):
    """Time will never pass again: everybody waits for ever, or somebody runs in circles."""


class _NeverBlocks(selectors.SelectSelector):
    loop: VirtualTimeLoop
    turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        self.turns += 1
        if self.turns > RESTLESS:
            raise StandstillError(f"{RESTLESS} turns of the loop and no time has passed")
        if not found and timeout is None:
            raise StandstillError("all tasks wait and no timer is set")
        if not found and timeout:
            self.loop.elapsed += timeout
            self.turns = 0
        return found


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """``elapsed`` is the seconds that have passed in it."""

    def __init__(self) -> None:
        selector = _NeverBlocks()
        selector.loop = self
        self.elapsed = 0.0
        super().__init__(selector)

    def time(self) -> float:
        return self.elapsed


class VirtualClock:
    """The clock of the loop it is used in."""

    def now(self) -> float:
        return START + asyncio.get_running_loop().time()

    async def wait(self, event: asyncio.Event, timeout: float | None) -> bool:
        if event.is_set() or (timeout is not None and timeout <= 0):
            await asyncio.sleep(0)
            return event.is_set()
        try:
            async with asyncio.timeout(timeout):
                await event.wait()
        except TimeoutError:
            return event.is_set()
        return True


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` to its end in virtual time. Raises :class:`StandstillError` instead of hanging."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


_: type[Clock] = VirtualClock
