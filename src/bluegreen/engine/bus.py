"""The event stream inside the controller: whoever listens gets every event from then on.

A listener that does not keep up loses its place, never the others': its queue is bounded and it is
told so, and it reads what it missed from the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from bluegreen.domain.events import Event

BACKLOG = 1000
"""Events a listener may fall behind before it has to go back to the journal."""


class Bus:
    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[Event]] = set()

    def publish(self, events: Iterable[Event]) -> None:
        for event in events:
            for queue in self._listeners:
                if not queue.full():
                    queue.put_nowait(event)

    @contextmanager
    def listen(self) -> Iterator[asyncio.Queue[Event]]:
        queue: asyncio.Queue[Event] = asyncio.Queue(BACKLOG)
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)
