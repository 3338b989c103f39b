"""What runs, by service: one full look at the start, afterwards only what an event names.

The cost of a change follows the change: an event refreshes one service, and only a gap in the event
stream makes the inventory look at everything again. An error of the runtime leaves the last good
answer in place: an empty or partial answer is not a fact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog

from bluegreen.domain.errors import BluegreenError, Temporary
from bluegreen.domain.instance import Instance, InstanceState, RuntimeEvent, RuntimeEventKind
from bluegreen.engine.ledger import ServiceKey
from bluegreen.ports.clock import Clock
from bluegreen.ports.runtime import Runtime

LIST_DEADLINE = 10.0
RESYNC_PAUSE = 1.0

log = structlog.get_logger()

Listener = Callable[[ServiceKey | None, RuntimeEvent | None], None]


class Inventory:
    """``on_event`` is called with the service of which something new is known (``None``: all), and once
    with the event that brought it."""

    def __init__(self, runtime: Runtime, clock: Clock, on_event: Listener) -> None:
        self._runtime = runtime
        self._clock = clock
        self._on_event = on_event
        self._instances: dict[ServiceKey, tuple[Instance, ...]] = {}
        self._seen_at: dict[ServiceKey, float] = {}
        self._seen_by: dict[ServiceKey, int] = {}
        self._looks = 0
        self.ready = asyncio.Event()

    def instances(self, key: ServiceKey) -> tuple[Instance, ...]:
        return self._instances.get(key, ())

    def find(self, name: str) -> Instance | None:
        return next((i for group in self._instances.values() for i in group if i.name == name), None)

    def everything(self) -> tuple[Instance, ...]:
        return tuple(i for group in self._instances.values() for i in group)

    def forget(self, name: str) -> None:
        """Take note that an instance was removed: nobody may count on it until the next look."""
        for key, group in self._instances.items():
            if any(i.name == name for i in group):
                self._instances[key] = tuple(i for i in group if i.name != name)
                return

    async def refresh(self, key: ServiceKey, *, older_than: float = 0.0) -> None:
        """Look at one service again, unless it was looked at less than ``older_than`` seconds ago."""
        if older_than and self._clock.now() - self._seen_at.get(key, 0.0) < older_than:
            return
        self._looks += 1
        look = self._looks
        found = await self._list(LIST_DEADLINE, *key)
        if look < self._seen_by.get(key, 0):
            return  # a look that began later has answered already
        self._instances[key] = found
        self._seen_at[key] = self._clock.now()
        self._seen_by[key] = look

    async def resync(self) -> None:
        """Look at everything again."""
        found = await self._list(LIST_DEADLINE * 3)
        groups: dict[ServiceKey, list[Instance]] = {}
        for instance in found:
            groups.setdefault((instance.stack, instance.service), []).append(instance)
        now = self._clock.now()
        self._instances = {key: tuple(group) for key, group in groups.items()}
        self._seen_at = dict.fromkeys(groups, now)
        self.ready.set()

    async def _list(self, deadline: float, *key: str) -> tuple[Instance, ...]:
        try:
            async with asyncio.timeout(deadline):
                return await self._runtime.list(*key)
        except TimeoutError as error:
            raise Temporary(
                f"the runtime did not say within {deadline:g} s what runs",
                code="runtime_silent",
                hint="Nothing is changed meanwhile. `bluegreen doctor` shows the state of the runtime.",
            ) from error

    async def follow(self) -> None:
        """Follow the runtime's events until cancelled."""
        while True:
            try:
                async for event in self._runtime.events():
                    await self._take(event)
            except BluegreenError as error:
                log.warning("inventory.stale", error=error.message)
            await self._clock.wait(asyncio.Event(), RESYNC_PAUSE)

    async def _take(self, event: RuntimeEvent) -> None:
        if event.kind is RuntimeEventKind.RESYNC or not event.service:
            await self.resync()
            self._on_event(None, event)
        else:
            key = (event.stack, event.service)
            if event.kind is RuntimeEventKind.DIED and self._died(key, event):
                self._on_event(key, None)
            await self.refresh(key)
            self._on_event(key, event)

    def _died(self, key: ServiceKey, event: RuntimeEvent) -> bool:
        """Take an instance for dead that died after the start we know; say whether there is one.

        Docker answers no question about a container while it clears up after it, and its users should not
        wait for that. Whether it comes back is left open; the look that follows says it.
        """
        group = self._instances.get(key, ())
        dead = {i.name for i in group if i.name == event.instance and i.running and i.started_at < event.at}
        self._instances[key] = tuple(
            replace(i, state=InstanceState.RESTARTING) if i.name in dead else i for i in group
        )
        return bool(dead)
