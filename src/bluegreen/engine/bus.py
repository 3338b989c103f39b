"""The event stream inside the controller: whoever listens gets every event from then on.

A listener that does not keep up loses its place, never the others': what waits for it is bounded, and beyond
that it is let go and told so. What it missed is in the journal: :func:`follow` reads on there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from bluegreen.domain.events import Event
from bluegreen.ports.journal import Journal, Query

BACKLOG = 1000
"""Events a listener may fall behind before it has to go back to the journal."""

PAGE = 100
"""Events that are read from the journal at once: what a client that takes none of them keeps in memory."""


class Behind(Exception):
    """A listener did not keep up and is none any more: it had every event up to the id ``after``."""

    def __init__(self, after: int) -> None:
        super().__init__(f"fell behind after event {after}")
        self.after = after


class Listener:
    """What waits for one that listens, oldest first; at most :data:`BACKLOG` events."""

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._news = asyncio.Event()
        self._lost: Behind | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    async def get(self) -> Event:
        """Return the next event, once there is one. Raises :class:`Behind`."""
        while not self._waiting:
            if self._lost is not None:
                raise self._lost
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    def rest(self) -> list[Event]:
        """Take all that waits."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def offer(self, event: Event) -> bool:
        """Take an event, or say that there is no room: then everything is given up."""
        self._news.set()
        if len(self._waiting) < BACKLOG:
            self._waiting.append(event)
            return True
        self._lost = Behind(self._waiting[0].id - 1)
        self._waiting.clear()
        return False


class Bus:
    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self.newest = 0
        """Id of the last event that was told, 0 before the first: what was looked up before it may be old."""

    @property
    def listeners(self) -> Collection[Listener]:
        return self._listeners

    def publish(self, events: Iterable[Event]) -> None:
        for event in events:
            self.newest = event.id
            self._listeners -= {one for one in self._listeners if not one.offer(event)}

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        listener = Listener()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)


async def follow(bus: Bus, journal: Journal, query: Query, after: int | None) -> AsyncIterator[Event | None]:
    """Yield each event that fits ``query``, once and in order, and ``None`` whenever that was all so far.

    Begins after the event ``after``, with what the journal has; ``None``: with what happens from now on.
    An ``after`` that the journal has not come to yet is of another journal, which was moved aside: it counts
    as the newest event of this one. Never ends. Who is slow misses nothing: it is told from the journal.
    """
    while True:
        with bus.listen() as listener:
            after = await _within(bus, journal, after)
            async for event in _written(journal, query, after):
                after = event.id
                yield event
            try:
                while True:
                    if not len(listener):
                        yield None
                    event = await listener.get()
                    if event.id > (after or 0):
                        after = event.id
                        if _fits(event, query):
                            yield event
            except Behind as lost:
                after = max(after or 0, lost.after)


async def _within(bus: Bus, journal: Journal, after: int | None) -> int | None:
    """Return ``after``, or the newest event's id where that is older."""
    if after is None or after <= bus.newest:
        return after
    newest = await journal.events(Query(limit=1))
    return min(after, newest[-1].id if newest else 0)


async def _written(journal: Journal, query: Query, after: int | None) -> AsyncIterator[Event]:
    while after is not None:
        page = await journal.events(replace(query, after=after, limit=PAGE))
        for event in page:
            yield event
        if len(page) < PAGE:
            return
        after = page[-1].id


def _fits(event: Event, query: Query) -> bool:
    wanted = ((query.stack, event.stack), (query.service, event.service), (query.rollout, event.rollout))
    return all(wish in ("", told) for wish, told in wanted)
