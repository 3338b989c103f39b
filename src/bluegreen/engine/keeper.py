"""Performs a service's upkeep: starts what is missing, ends what is extra or hangs, keeps pools in step."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from functools import partial

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.events import Event
from bluegreen.domain.naming import Color, instance_name, pool_id
from bluegreen.domain.override import Override
from bluegreen.domain.release import Release, ServiceRecord
from bluegreen.domain.rollout import Rollout
from bluegreen.domain.upkeep import Place, Upkeep, upkeep
from bluegreen.engine.endings import Endings
from bluegreen.engine.guardian import Guardian
from bluegreen.engine.inventory import Inventory
from bluegreen.engine.ledger import Ledger, ServiceKey
from bluegreen.engine.perform import Performer
from bluegreen.engine.pools import PROBE_EVERY, Pools
from bluegreen.engine.switchboard import Switchboard
from bluegreen.ports.clock import Clock

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Bounds of the back-off between attempts to start one instance, in seconds."""

REMOVE_PATIENCE = 30.0
"""Seconds an instance that is no longer wanted may take to end its requests."""


class Keeper:
    def __init__(
        self,
        ledger: Ledger,
        inventory: Inventory,
        pools: Pools,
        guardian: Guardian,
        performer: Performer,
        switchboard: Switchboard,
        endings: Endings,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._inventory = inventory
        self._pools = pools
        self._guardian = guardian
        self._performer = performer
        self._switchboard = switchboard
        self._endings = endings
        self._clock = clock
        self._attempts: dict[str, tuple[float, float]] = {}
        self._unwanted_since: dict[ServiceKey, dict[str, float]] = {}

    async def tend(self, record: ServiceRecord, rollout: Rollout | None) -> float | None:
        """Bring the service one look closer to ``record``; return seconds until the next look."""
        key = (record.stack, record.name)
        releases = {r.number: r for r in await self._ledger.releases(*key)}
        plan = upkeep(
            record,
            rollout,
            self._inventory.instances(key),
            {number: release.spec.restart for number, release in releases.items()},
        )
        record = await self._take_back(record, plan)
        pauses = [await self._pools.tend(record, rollout, {*plan.remove, *plan.stop})]
        pauses.append(await self._start(record, releases, plan.start))
        pauses.append(await self._end(record, releases, plan))
        pauses.append(await self._guardian.guard(record, rollout))
        return min((p for p in pauses if p is not None), default=None)

    async def _take_back(self, record: ServiceRecord, plan: Upkeep) -> ServiceRecord:
        """Drop the overrides that are over: by the clock, or because the restart they asked for is done."""
        now = self._clock.now()
        over = {n: o for n, o in record.overrides.items() if not o.holds(now) or n in plan.renewed}
        if not over:
            return record
        told = [_over(record, name, override, now) for name, override in over.items()]

        def without(before: ServiceRecord) -> ServiceRecord:
            kept = {n: o for n, o in before.overrides.items() if over.get(n) != o}
            return replace(before, overrides=kept)

        return await self._ledger.change_service((record.stack, record.name), without, told)

    async def _start(
        self, record: ServiceRecord, releases: dict[int, Release], places: Iterable[Place]
    ) -> float | None:
        now = self._clock.now()
        due = [p for p in places if self._due(self._attempt(record, p), now) and not self._ends(record, p)]
        await _each(self._start_one(record, releases, place) for place in due)
        if due:
            await self._inventory.refresh((record.stack, record.name))
        return FIRST_PAUSE if places else None

    async def _start_one(self, record: ServiceRecord, releases: dict[int, Release], place: Place) -> None:
        release = releases.get(place.release)
        if release is None:
            return
        name = _name(record, place)
        self._note_attempt(self._attempt(record, place))
        runs = self._runs(record, place)
        try:
            await self._performer.start(release, place.color, place.index)
        except BluegreenError as error:
            await self._tell(record, name, "instance.start_failed", error.message, "error")
            return
        who = f"{record.name} {place.color} #{place.index}"
        if runs:
            await self._tell(
                record, name, "instance.restored", f"{who} has its name and network again", "info"
            )
        else:
            await self._tell(record, name, "instance.started", f"{who} started", "info")

    def _attempt(self, record: ServiceRecord, place: Place) -> str:
        """Return what the keeper backs off from: starts are none of the business of one that runs."""
        name = _name(record, place)
        return f"{name}, running" if self._runs(record, place) else name

    def _runs(self, record: ServiceRecord, place: Place) -> bool:
        """Whether the instance of that place runs, so that only what was taken from it is given back."""
        known = self._inventory.instances((record.stack, record.name))
        return any(i.running and Place(i.color, i.release, i.index) == place for i in known if i.color)

    def _ends(self, record: ServiceRecord, place: Place) -> bool:
        return self._endings.ending(_name(record, place))

    def _due(self, name: str, now: float) -> bool:
        last, pause = self._attempts.get(name, (0.0, 0.0))
        return now >= last + pause

    def _note_attempt(self, name: str) -> None:
        """Double the pause before the next attempt, unless the last one lies long back."""
        now = self._clock.now()
        last, pause = self._attempts.get(name, (0.0, 0.0))
        calm = now > last + 2 * LONGEST_PAUSE
        self._attempts[name] = (now, FIRST_PAUSE if calm else min(pause * 2, LONGEST_PAUSE))

    async def _end(self, record: ServiceRecord, releases: dict[int, Release], plan: Upkeep) -> float | None:
        """Stop or remove what is not wanted or is to be restarted, once its requests have ended."""
        key, now = (record.stack, record.name), self._clock.now()
        names = {*plan.stop, *plan.remove, *plan.recycle}
        known = self._unwanted_since.pop(key, {})
        if not names:
            return None
        since = self._unwanted_since[key] = {name: known.get(name, now) for name in names}
        busy = await self._busy(record)
        patience = dict.fromkeys(plan.recycle, self._drain(record))
        ready = {n for n in names if n not in busy or now > since[n] + patience.get(n, REMOVE_PATIENCE)}
        grace = max((r.spec.stop_grace for r in releases.values()), default=10.0)
        for name in sorted(ready - set(plan.stop)):
            self._endings.begin(key, name, partial(self._end_one, record, plan, name, grace))
        stopped = sorted(ready & set(plan.stop))
        if stopped:
            await _each(self._performer.stop(name, grace) for name in stopped)
            await self._inventory.refresh(key)
        return None if len(ready) == len(names) else PROBE_EVERY

    async def _end_one(self, record: ServiceRecord, plan: Upkeep, name: str, grace: float) -> None:
        if name in plan.remove:
            await self._performer.remove(name, grace)
        elif self._still_runs(name, record.overrides[name].incarnation):
            await self._performer.stop(name, grace)
            await self._tell(
                record, name, "instance.stopped", f"{name} is stopped, to be started again", "info"
            )
        await self._inventory.refresh((record.stack, record.name))

    def _still_runs(self, name: str, incarnation: str) -> bool:
        """Look again: an earlier ending may have been done while this one was being decided."""
        instance = self._inventory.find(name)
        return instance is not None and instance.incarnation == incarnation and not instance.over

    def _drain(self, record: ServiceRecord) -> float:
        spec = self._ledger.spec(record.stack).service(record.name)
        return spec.agent.drain if spec is not None else REMOVE_PATIENCE

    async def _busy(self, record: ServiceRecord) -> frozenset[str]:
        """Return the instances on which the balancer still has requests in flight."""
        pools = [pool_id(record.stack, record.name, color) for color in Color]
        known = [pool for pool in pools if pool in self._switchboard.routing.pools]
        if not known:
            return frozenset()
        facts = await self._switchboard.observe(known)
        return frozenset(
            server.name for pool in facts.pools.values() for server in pool.servers if server.in_flight
        )

    async def _tell(self, record: ServiceRecord, name: str, kind: str, message: str, level: str) -> None:
        event = Event(
            kind=kind,
            message=message,
            at=self._clock.now(),
            stack=record.stack,
            service=record.name,
            level=level,
            data={"instance": name},
        )
        await self._ledger.commit((), (event,))


def _name(record: ServiceRecord, place: Place) -> str:
    return instance_name(record.stack, record.name, place.release, place.index)


def _over(record: ServiceRecord, name: str, override: Override, now: float) -> Event:
    """Return what is told of an override that is over."""
    restarted = override.holds(now)
    return Event(
        kind="instance.restarted" if restarted else "override.ended",
        message=f"{name} runs anew" if restarted else f"{name} is no longer forced {override.force}",
        at=now,
        stack=record.stack,
        service=record.name,
        data={"instance": name},
    )


async def _each(calls: Iterable[Awaitable[None]]) -> None:
    """Await all; a temporary failure of one is met again at the next look."""
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, BluegreenError):
            raise outcome
