"""Probes instances in the background and keeps the running verdict on each incarnation.

A service's loop says who is to be watched and how often; every result wakes that loop. A probe that
hangs holds up nobody but itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.health import Health, fold
from bluegreen.domain.instance import Instance
from bluegreen.engine.ledger import ServiceKey
from bluegreen.ports.clock import Clock
from bluegreen.ports.prober import Prober

Wake = Callable[[ServiceKey], None]

EACH = 0.002
"""Seconds between two probes for each instance that is watched at the same time: however many start at
once, there are no more than 500 probes a second, and the loops have time for what follows from them."""


@dataclass(slots=True)
class _Watch:
    instance: Instance
    check: HealthCheck
    every: float
    owner: ServiceKey
    hurry: asyncio.Event
    health: Health
    task: asyncio.Task[None] | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)


class Examiner:
    def __init__(self, prober: Prober, clock: Clock, wake: Wake, group: asyncio.TaskGroup) -> None:
        self._prober = prober
        self._clock = clock
        self._wake = wake
        self._group = group
        self._watches: dict[str, _Watch] = {}
        self._watched = 0

    def health(self, instance: Instance) -> Health:
        """Return the verdict on this incarnation; a new incarnation starts from nothing."""
        watch = self._watches.get(instance.name)
        if watch is None or _identity(watch.instance) != _identity(instance):
            return Health()
        return watch.health

    def watch(self, owner: ServiceKey, instance: Instance, check: HealthCheck, every: float) -> None:
        """Probe ``instance`` at once and then every ``every`` seconds; repeatable, cheap."""
        if check.kind is CheckKind.NONE or not instance.reachable:
            return
        known = self._watches.get(instance.name)
        if known is not None and _identity(known.instance) == _identity(instance) and known.check == check:
            if every < known.every:
                known.hurry.set()
            known.every = every
            known.owner = owner
            if known.task is None:
                known.health = Health()  # nobody looked meanwhile: what was true then proves nothing
                known.answered.clear()
                known.task = self._group.create_task(self._examine(known))
            return
        self.forget(instance.name)
        watch = _Watch(instance, check, every, owner, asyncio.Event(), Health())
        self._watches[instance.name] = watch
        watch.task = self._group.create_task(self._examine(watch))

    async def answers(self, instances: Iterable[Instance], patience: float) -> None:
        """Wait until each watched one of ``instances`` was probed once, at most ``patience`` seconds."""
        deadline = self._clock.now() + patience
        for instance in instances:
            watch = self._watches.get(instance.name)
            if watch is None or watch.task is None or watch.answered.is_set():
                continue
            if not await self._clock.wait(watch.answered, deadline - self._clock.now()):
                return

    def rest(self, name: str) -> None:
        """Stop probing ``name`` and keep its verdict."""
        watch = self._watches.get(name)
        if watch is not None and watch.task is not None:
            watch.task.cancel()
            watch.task = None

    def renew(self, instance: Instance) -> None:
        """Forget the verdict, so that only a probe from now on counts."""
        self.forget(instance.name)

    def forget(self, name: str) -> None:
        self.rest(name)
        self._watches.pop(name, None)

    async def _examine(self, watch: _Watch) -> None:
        instance = watch.instance
        assert instance.host is not None
        assert instance.port is not None
        port = watch.check.port or instance.port
        self._watched += 1
        try:
            await self._probe(watch, instance.host, port)
        finally:
            self._watched -= 1

    async def _probe(self, watch: _Watch, host: str, port: int) -> None:
        while True:
            result = await self._prober.probe(host, port, watch.check)
            before = watch.health
            watch.health = fold(before, result, watch.check, watch.instance.started_at)
            watch.answered.set()
            if watch.health != before:
                self._wake(watch.owner)
            watch.hurry.clear()
            await self._clock.wait(watch.hurry, max(watch.every, self._watched * EACH))


def _identity(instance: Instance) -> tuple[str, str | None, int | None]:
    return (instance.incarnation, instance.host, instance.port)
