"""Probes instances in the background and keeps the running verdicts on each incarnation.

A service's loop says who is to be watched, why and how often; every new verdict wakes that loop. A probe
that hangs holds up nobody but itself. Readiness and liveness are two verdicts that know nothing of each
other: what is not ready may be very much alive.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from zlib import crc32

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.health import Health, Outcome, fold
from bluegreen.domain.instance import Instance
from bluegreen.engine.asking import Asker
from bluegreen.engine.ledger import ServiceKey
from bluegreen.ports.clock import Clock

Wake = Callable[[ServiceKey], None]

EACH = 0.002
"""Seconds between two probes for each instance that is watched at the same time: however many start at
once, there are no more than 500 probes a second, and the loops have time for what follows from them."""

JITTER = 0.1
"""Share by which a pause varies, so that probes which began together do not stay together."""


class Purpose(StrEnum):
    """What the answer is for: in or out of rotation, or whether it is to be restarted."""

    READY = "ready"
    ALIVE = "alive"


_Key = tuple[str, Purpose]


@dataclass(slots=True)
class _Watch:
    instance: Instance
    check: HealthCheck
    every: float
    owner: ServiceKey
    hurry: asyncio.Event
    health: Health
    purpose: Purpose
    task: asyncio.Task[None] | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)


class Examiner:
    def __init__(self, asker: Asker, clock: Clock, wake: Wake, group: asyncio.TaskGroup) -> None:
        self._asker = asker
        self._clock = clock
        self._wake = wake
        self._group = group
        self.asked: Counter[tuple[ServiceKey, Purpose, Outcome]] = Counter()
        """How many probes there were, by service, purpose, and what came of them."""
        self._watches: dict[_Key, _Watch] = {}
        self._watched = 0

    def health(self, instance: Instance, purpose: Purpose = Purpose.READY) -> Health:
        """Return the verdict on this incarnation; a new incarnation starts from nothing."""
        watch = self._watches.get((instance.name, purpose))
        if watch is None or _identity(watch.instance) != _identity(instance):
            return Health()
        return watch.health

    def watch(
        self,
        owner: ServiceKey,
        instance: Instance,
        check: HealthCheck,
        every: float,
        purpose: Purpose = Purpose.READY,
    ) -> None:
        """Probe ``instance`` at once and then every ``every`` seconds; repeatable, cheap."""
        if check.kind is CheckKind.NONE or not _can_be_asked(instance, check):
            return
        known = self._watches.get((instance.name, purpose))
        if (
            known is not None
            and _identity(known.instance) == _identity(instance)
            and _same(known.check, check)
        ):
            known.check = check
            if every < known.every:
                known.hurry.set()
            known.every = every
            known.owner = owner
            if known.task is None:
                known.health = Health()  # nobody looked meanwhile: what was true then proves nothing
                known.answered.clear()
                known.task = self._group.create_task(self._examine(known))
            return
        self._drop((instance.name, purpose))
        watch = _Watch(instance, check, every, owner, asyncio.Event(), Health(), purpose)
        self._watches[instance.name, purpose] = watch
        watch.task = self._group.create_task(self._examine(watch))

    async def answers(self, instances: Iterable[Instance], patience: float) -> None:
        """Wait until each watched one of ``instances`` was probed once, at most ``patience`` seconds."""
        deadline = self._clock.now() + patience
        for instance in instances:
            watch = self._watches.get((instance.name, Purpose.READY))
            if watch is None or watch.task is None or watch.answered.is_set():
                continue
            if not await self._clock.wait(watch.answered, deadline - self._clock.now()):
                return

    def rest(self, name: str, purpose: Purpose = Purpose.READY) -> None:
        """Stop probing ``name`` and keep its verdict."""
        watch = self._watches.get((name, purpose))
        if watch is not None and watch.task is not None:
            watch.task.cancel()
            watch.task = None

    def renew(self, instance: Instance) -> None:
        """Forget whether it is ready, so that only a probe from now on counts."""
        self._drop((instance.name, Purpose.READY))

    def calm(self, name: str) -> None:
        """Stop asking whether it is alive: nothing gives rise to doubt."""
        self._drop((name, Purpose.ALIVE))

    def forget(self, name: str) -> None:
        for purpose in Purpose:
            self._drop((name, purpose))

    def _drop(self, key: _Key) -> None:
        self.rest(*key)
        self._watches.pop(key, None)

    async def _examine(self, watch: _Watch) -> None:
        self._watched += 1
        try:
            await self._probe(watch)
        finally:
            self._watched -= 1

    async def _probe(self, watch: _Watch) -> None:
        while True:
            result = await self._asker.ask(watch.instance, watch.check)
            self.asked[watch.owner, watch.purpose, result.outcome] += 1
            before = watch.health
            watch.health = fold(before, result, watch.check, watch.instance.started_at)
            watch.answered.set()
            # A rollout waits for every single answer; whether it lives matters when that changes.
            if watch.health.verdict is not before.verdict or watch.purpose is Purpose.READY:
                self._wake(watch.owner)
            watch.hurry.clear()
            pause = max(watch.every, self._watched * EACH)
            await self._clock.wait(watch.hurry, pause * _jitter(watch.instance.name, result.at))


def _jitter(name: str, at: float) -> float:
    """Return a factor around 1, the same for the same instance and time: what is replayed stays the same."""
    share = crc32(f"{name}@{at}".encode()) / 0xFFFFFFFF
    return 1 + JITTER * (2 * share - 1)


def _same(one: HealthCheck, other: HealthCheck) -> bool:
    """Whether both ask the same, so that what was seen counts on, however long a start may take."""
    return replace(one, start_period=other.start_period) == other


def _can_be_asked(instance: Instance, check: HealthCheck) -> bool:
    return instance.running if check.kind is CheckKind.EXEC else instance.reachable


def _identity(instance: Instance) -> tuple[str, str | None, int | None]:
    return (instance.incarnation, instance.host, instance.port)
