"""Performs a service's upkeep: starts what is missing, removes what is extra, keeps pools in step."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import replace

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.events import Event
from bluegreen.domain.facts import PoolView
from bluegreen.domain.health import Verdict
from bluegreen.domain.naming import Color, PoolId, instance_name, pool_id
from bluegreen.domain.release import Release, ServiceRecord
from bluegreen.domain.rollout import Rollout
from bluegreen.domain.slots import tended
from bluegreen.domain.upkeep import Place, Upkeep, abandoned, members, upkeep
from bluegreen.engine.examiner import Examiner
from bluegreen.engine.inventory import Inventory
from bluegreen.engine.ledger import Ledger
from bluegreen.engine.observe import Observer
from bluegreen.engine.perform import Performer
from bluegreen.engine.switchboard import Switchboard
from bluegreen.ports.clock import Clock

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Bounds of the back-off between attempts to start one instance, in seconds."""

PROBE_EVERY = 0.25
"""Seconds between probes of an instance that came back and is not yet a server again."""

REMOVE_PATIENCE = 30.0
"""Seconds an instance that is no longer wanted may take to end its requests."""


class Keeper:
    def __init__(
        self,
        ledger: Ledger,
        inventory: Inventory,
        examiner: Examiner,
        observer: Observer,
        performer: Performer,
        switchboard: Switchboard,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._inventory = inventory
        self._examiner = examiner
        self._observer = observer
        self._performer = performer
        self._switchboard = switchboard
        self._clock = clock
        self._attempts: dict[str, tuple[float, float]] = {}
        self._unwanted_since: dict[str, float] = {}

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
        pauses = [await self._keep_pools(record, rollout, plan)]
        pauses.append(await self._start(record, releases, plan.start))
        pauses.append(await self._end(record, releases, plan))
        return min((p for p in pauses if p is not None), default=None)

    async def _keep_pools(self, record: ServiceRecord, rollout: Rollout | None, plan: Upkeep) -> float | None:
        """Make each tended pool's servers those instances that are well; probe the others."""
        leaving = {*plan.remove, *plan.stop}
        pause = None
        for color in abandoned(record, rollout):
            await self._switchboard.set_servers(pool_id(record.stack, record.name, color), ())
        for color in sorted(tended(record, rollout)):
            pool = pool_id(record.stack, record.name, color)
            if pool not in self._switchboard.routing.pools:
                continue
            view = self._observer.view(record.stack, pool)
            staying = tuple(i for i in view.instances if i.instance.name not in leaving)
            kept = replace(view, instances=staying)
            known = self._switchboard.servers(pool)
            servers = members(known, kept, record.overrides, self._clock.now())
            await self._switchboard.set_servers(pool, servers)
            if self._probe_newcomers(record, rollout, kept, pool):
                pause = PROBE_EVERY
        return pause

    def _probe_newcomers(
        self, record: ServiceRecord, rollout: Rollout | None, view: PoolView, pool: PoolId
    ) -> bool:
        """Watch what is not yet a server; return whether any is still waited for."""
        servers = {server.name for server in self._switchboard.servers(pool)}
        waiting = False
        for one in view.instances:
            if one.instance.name not in servers:
                owner = (record.stack, record.name)
                self._examiner.watch(owner, one.instance, view.check, PROBE_EVERY)
                waiting = waiting or one.health.verdict is not Verdict.HEALTHY
            elif rollout is None:
                self._examiner.rest(one.instance.name)
        return waiting

    async def _start(
        self, record: ServiceRecord, releases: dict[int, Release], places: Iterable[Place]
    ) -> float | None:
        now = self._clock.now()
        due = [p for p in places if self._due(_name(record, p), now)]
        await _each(self._start_one(record, releases, place) for place in due)
        if due:
            await self._inventory.refresh((record.stack, record.name))
        return FIRST_PAUSE if places else None

    async def _start_one(self, record: ServiceRecord, releases: dict[int, Release], place: Place) -> None:
        release = releases.get(place.release)
        if release is None:
            return
        self._note_attempt(_name(record, place))
        runs = self._runs(record, place)
        try:
            await self._performer.start(release, place.color, place.index)
        except BluegreenError as error:
            await self._tell(record, "instance.start_failed", error.message, "error")
            return
        who = f"{record.name} {place.color} #{place.index}"
        if runs:
            await self._tell(record, "instance.restored", f"{who} has its name and network again", "info")
        else:
            await self._tell(record, "instance.started", f"{who} started", "info")

    def _runs(self, record: ServiceRecord, place: Place) -> bool:
        """Whether the instance of that place runs, so that only what was taken from it is given back."""
        known = self._inventory.instances((record.stack, record.name))
        return any(i.running and Place(i.color, i.release, i.index) == place for i in known if i.color)

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
        """Stop or remove what is not wanted, once its requests have ended."""
        names = {*plan.stop, *plan.remove}
        self._unwanted_since = {n: t for n, t in self._unwanted_since.items() if n in names}
        if not names:
            return None
        now = self._clock.now()
        for name in names:
            self._unwanted_since.setdefault(name, now)
        busy = await self._busy(record)
        ready = [n for n in names if n not in busy or now > self._unwanted_since[n] + REMOVE_PATIENCE]
        grace = max((r.spec.stop_grace for r in releases.values()), default=10.0)
        await _each(
            self._performer.stop(n, grace) if n in plan.stop else self._performer.remove(n, grace)
            for n in ready
        )
        await self._inventory.refresh((record.stack, record.name))
        return None if len(ready) == len(names) else PROBE_EVERY

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

    async def _tell(self, record: ServiceRecord, kind: str, message: str, level: str) -> None:
        event = Event(
            kind=kind,
            message=message,
            at=self._clock.now(),
            stack=record.stack,
            service=record.name,
            level=level,
        )
        await self._ledger.commit((), (event,))


def _name(record: ServiceRecord, place: Place) -> str:
    return instance_name(record.stack, record.name, place.release, place.index)


async def _each(calls: Iterable[Awaitable[None]]) -> None:
    """Await all; a temporary failure of one is met again at the next look."""
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, BluegreenError):
            raise outcome
