"""Hands each event to everyone who listens; whoever is too slow is told to look again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from bluegreen.domain.instance import InstanceSpec, RuntimeEvent, RuntimeEventKind

MAX_WAITING = 1000


class Broadcast:
    """The event streams of a runtime."""

    def __init__(self) -> None:
        self._streams: set[asyncio.Queue[RuntimeEvent]] = set()

    def tell(self, kind: RuntimeEventKind, instance: InstanceSpec, detail: str = "") -> None:
        event = RuntimeEvent(
            kind=kind,
            stack=instance.stack,
            service=instance.service,
            instance=instance.name,
            at=time.time(),
            detail=detail,
        )
        for stream in self._streams:
            if stream.qsize() >= MAX_WAITING:
                while not stream.empty():
                    stream.get_nowait()
                event = _resync()
            stream.put_nowait(event)

    async def listen(self) -> AsyncIterator[RuntimeEvent]:
        stream: asyncio.Queue[RuntimeEvent] = asyncio.Queue()
        stream.put_nowait(_resync())
        self._streams.add(stream)
        try:
            while True:
                yield await stream.get()
        finally:
            self._streams.discard(stream)


def _resync() -> RuntimeEvent:
    return RuntimeEvent(kind=RuntimeEventKind.RESYNC, at=time.time())
