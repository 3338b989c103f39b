"""Who watches pages: however many they are, releases come first.

One listener on the bus hears for all of them, waits until a burst of events is over, and passes the word on
at a rate that leaves the controller to its work. The more watch, the rarer each looks again by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from bluegreen.domain.access import Actor
from bluegreen.engine.bus import Behind, Bus

TOGETHER = 0.15
"""Seconds in which events are told as one: a rollout has several in a moment."""

EACH = 0.002
"""Seconds that are added to it for each who watches: where many do, a switch is over before any is told."""

LOOKS = 20
"""Pages that are told to look again within a second, at most."""

HANDFUL = 2
"""Of these as many are told in one go."""

PACE = 2.0
"""Seconds after which a page looks again though nothing happened: requests in flight are no event."""


class Seat:
    """One who watches. ``news`` is set when there is something for him to see."""

    def __init__(self, reader: Actor) -> None:
        self.reader = reader
        self.news = asyncio.Event()

    async def told(self, timeout: float) -> bool:
        """Return whether there was news within ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self.news.wait()
        except TimeoutError:
            return False
        self.news.clear()
        return True


class Audience:
    def __init__(self) -> None:
        self._seats: set[Seat] = set()
        self._usher: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._seats)

    def pace(self, least: float = PACE) -> float:
        """Return the seconds between two looks of one of them."""
        return max(least, len(self._seats) / LOOKS)

    @contextmanager
    def seat(self, bus: Bus, reader: Actor) -> Iterator[Seat]:
        """Watch while the block runs."""
        one = Seat(reader)
        self._seats.add(one)
        if self._usher is None:
            self._usher = asyncio.create_task(self._hear(bus))
        try:
            yield one
        finally:
            self._seats.discard(one)
            if not self._seats and self._usher is not None:
                self._usher.cancel()
                self._usher = None

    async def _hear(self, bus: Bus) -> None:
        while True:
            with bus.listen() as events:
                try:
                    while True:
                        stacks = {(await events.get()).stack}
                        await asyncio.sleep(TOGETHER + len(self) * EACH)
                        stacks |= {event.stack for event in events.rest()}
                        await self._tell(stacks)
                except Behind:
                    await self._tell({""})

    async def _tell(self, stacks: set[str]) -> None:
        """Tell those who may see what happened; what is of no stack is for everybody."""
        concerned = [one for one in self._seats if any(not s or one.reader.sees(s) for s in stacks)]
        for number, one in enumerate(concerned, 1):
            one.news.set()
            if number % HANDFUL == 0:
                await asyncio.sleep(HANDFUL / LOOKS)
