"""What runs, by service: one full look at the start, afterwards only what an event names.

The cost of a change follows the change: an event refreshes one service; a gap in the event stream, and
now and then the clock, make the inventory look at everything again. An error of the runtime leaves the
last good answer in place: an empty or partial answer is not a fact. Of two looks at a service the one
that began later counts.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import structlog

from bluegreen.domain.errors import BluegreenError, Temporary
from bluegreen.domain.instance import Instance, InstanceState, RuntimeEvent, RuntimeEventKind
from bluegreen.engine.ledger import ServiceKey
from bluegreen.ports.clock import Clock
from bluegreen.ports.runtime import Runtime

LIST_DEADLINE = 10.0
RESYNC_PAUSE = 1.0

LOOK_EVERY = 60.0
"""Seconds between two looks at everything, which heal what an event should have told and did not."""

LOOK_JITTER = 0.2
"""The part by which that varies either way, so that several controllers do not ask at the same time."""

ENDING = 60.0
"""Seconds for which an instance that was asked to end is taken to be ending. Docker kills after 10 s unless
it was told otherwise; what still runs after that long has taken the signal for something else."""

log = structlog.get_logger()

_AT_ONCE: dict[RuntimeEventKind, dict[str, Any]] = {
    RuntimeEventKind.DIED: {"state": InstanceState.RESTARTING},
    RuntimeEventKind.PAUSED: {"state": InstanceState.PAUSED},
    RuntimeEventKind.STOPPING: {},
}
"""What an event alone makes sure of an instance."""

Listener = Callable[[ServiceKey | None, RuntimeEvent | None], None]


class Inventory:
    """``on_event`` is called with the service of which something new is known (``None``: all), and once
    with the event that brought it."""

    def __init__(
        self, runtime: Runtime, clock: Clock, on_event: Listener, chance: random.Random | None = None
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._on_event = on_event
        self._chance = chance or random.Random()
        self._ending: dict[str, float] = {}
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
        look = self._begin()
        found = await self._list(LIST_DEADLINE, *key)
        if self._know(key, found, look):
            self._seen_at[key] = self._clock.now()

    async def resync(self) -> frozenset[ServiceKey]:
        """Look at everything again; return the services of which something new is known."""
        look, before = self._begin(), dict(self._instances)
        groups: dict[ServiceKey, list[Instance]] = {key: [] for key in before}
        for instance in await self._list(LIST_DEADLINE * 3):
            groups.setdefault((instance.stack, instance.service), []).append(instance)
        now = self._clock.now()
        for key, group in groups.items():
            if self._know(key, group, look):
                self._seen_at[key] = now
        news = frozenset(key for key in groups if self._instances.get(key, ()) != before.get(key, ()))
        self._instances = {key: group for key, group in self._instances.items() if group}
        self.ready.set()
        return news

    def _begin(self) -> int:
        """Return the number of a look that begins now."""
        self._looks += 1
        return self._looks

    def _know(self, key: ServiceKey, found: Iterable[Instance], look: int) -> bool:
        """Take over what a look found, unless one that began later has answered already."""
        if look < self._seen_by.get(key, 0):
            return False
        self._instances[key] = tuple(self._marked(instance) for instance in found)
        self._seen_by[key] = look
        return True

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
        """Follow the runtime's events until cancelled, and look around now and then."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_around())
            while True:
                try:
                    async for event in self._runtime.events():
                        await self._take(event)
                except BluegreenError as error:
                    log.warning("inventory.stale", error=error.message)
                await self._clock.wait(asyncio.Event(), RESYNC_PAUSE)

    async def _look_around(self) -> None:
        """Find what no event has told, also that what was asked to end never did."""
        while True:
            jitter = self._chance.uniform(1 - LOOK_JITTER, 1 + LOOK_JITTER)
            await self._clock.wait(asyncio.Event(), LOOK_EVERY * jitter)
            try:
                news = await self.resync()
            except BluegreenError as error:
                log.warning("inventory.stale", error=error.message)
                continue
            for key in sorted(news):
                log.info("inventory.found", service="/".join(key), hint="no event had told of it")
                self._on_event(key, None)

    async def _take(self, event: RuntimeEvent) -> None:
        if event.kind is RuntimeEventKind.RESYNC or not event.service:
            await self.resync()
            self._on_event(None, event)
        else:
            key = (event.stack, event.service)
            if self._foresee(key, event):
                self._on_event(key, None)
            await self.refresh(key)
            self._on_event(key, event)

    def _foresee(self, key: ServiceKey, event: RuntimeEvent) -> bool:
        """Take over at once what an event means for an instance started before it; say whether it does.

        Docker answers no question about a container while it clears up after it, and its users should not
        wait for that. Whether a dead one comes back is left open; the look that follows says it.
        """
        group = self._instances.get(key, ())
        meant = [i for i in group if i.name == event.instance and i.running and i.started_at < event.at]
        changes = _AT_ONCE.get(event.kind)
        if not meant or changes is None:
            return False
        if event.kind is RuntimeEventKind.STOPPING:
            now = self._clock.now()
            self._ending = {who: until for who, until in self._ending.items() if now < until}
            self._ending[meant[0].incarnation] = now + ENDING
        foreseen = (replace(i, **changes) if i is meant[0] else i for i in group)
        return self._know(key, foreseen, self._begin())

    def _marked(self, instance: Instance) -> Instance:
        """Return ``instance`` with what the runtime cannot say: that it was asked to end."""
        ending = instance.running and self._clock.now() < self._ending.get(instance.incarnation, 0.0)
        return instance if instance.stopping == ending else replace(instance, stopping=ending)
