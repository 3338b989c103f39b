"""Tells people what happens, in its order, and waits for nobody: releases go on whether it is heard or not.

What cannot be delivered is tried again for some minutes, then given up and said in the log; it is in the
journal all the same.
"""

from __future__ import annotations

import asyncio

import structlog

from bluegreen.domain.errors import BluegreenError, Temporary
from bluegreen.domain.events import Event
from bluegreen.domain.notice import worth_telling
from bluegreen.engine.bus import Behind, Bus
from bluegreen.ports.clock import Clock
from bluegreen.ports.messenger import Messenger

PAUSES = (1.0, 5.0, 30.0, 120.0)
"""Seconds until the next attempt at one message."""

log = structlog.get_logger()


class Herald:
    def __init__(self, bus: Bus, messenger: Messenger, clock: Clock) -> None:
        self._bus = bus
        self._messenger = messenger
        self._clock = clock

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            with self._bus.listen() as events:
                try:
                    while True:
                        event = await events.get()
                        if worth_telling(event):
                            await self._deliver(event)
                except Behind as lost:
                    log.warning("notices.lost", after_event=lost.after)

    async def _deliver(self, event: Event) -> None:
        for pause in (*PAUSES, None):
            try:
                await self._messenger.tell(event)
                return
            except BluegreenError as error:
                if pause is None or not isinstance(error, Temporary):
                    log.warning("notice.lost", kind=event.kind, event_id=event.id, error=error.message)
                    return
            await self._clock.wait(asyncio.Event(), pause)
