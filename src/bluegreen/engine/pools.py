"""Keeps the servers of a service's pools in step with what is well, and tells who went in and out, and why.

Called by the keeper at every look. What it remembers of an instance is only what was last told of it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from bluegreen.domain.facts import InstanceFacts, PoolView
from bluegreen.domain.health import Verdict
from bluegreen.domain.naming import Color, PoolId, pool_id
from bluegreen.domain.override import Overrides, in_force, next_end
from bluegreen.domain.release import ServiceRecord
from bluegreen.domain.rollout import Rollout
from bluegreen.domain.rotation import Rotation, Standing, servers, standing
from bluegreen.domain.routing import Server, ServerFacts, ServerHealth
from bluegreen.domain.slots import tended
from bluegreen.domain.upkeep import abandoned
from bluegreen.engine.examiner import Examiner
from bluegreen.engine.ledger import Ledger
from bluegreen.engine.narrate import instance_told
from bluegreen.engine.observe import Observer
from bluegreen.engine.sentinel import Sentinel
from bluegreen.engine.switchboard import Switchboard
from bluegreen.ports.clock import Clock

PROBE_EVERY = 0.25
"""Seconds between probes of an instance that came back and is not yet a server again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was last told of an instance's place, and since when it is so (UNIX seconds)."""

    standing: Standing
    since: float


class Pools:
    def __init__(
        self,
        ledger: Ledger,
        examiner: Examiner,
        observer: Observer,
        switchboard: Switchboard,
        sentinel: Sentinel,
        clock: Clock,
        *,
        balancer_checks: bool,
    ) -> None:
        self._ledger = ledger
        self._examiner = examiner
        self._observer = observer
        self._switchboard = switchboard
        self._sentinel = sentinel
        self._clock = clock
        self._balancer_checks = balancer_checks
        self._told: dict[PoolId, dict[str, Told]] = {}

    async def tend(
        self, record: ServiceRecord, rollout: Rollout | None, leaving: Collection[str]
    ) -> float | None:
        """Make each tended pool's servers those instances that are well, without ``leaving``; probe the
        others. Return the seconds until the next look."""
        now = self._clock.now()
        pauses = [next_end(record.overrides, now)]
        for color in abandoned(record, rollout):
            await self._switchboard.set_servers(pool_id(record.stack, record.name, color), ())
            self._told.pop(pool_id(record.stack, record.name, color), None)
        for color in sorted(tended(record, rollout)):
            pauses.append(await self._keep(record, rollout, color, leaving))
        return min((p for p in pauses if p is not None), default=None)

    async def admit(self, record: ServiceRecord, view: PoolView) -> None:
        """Make the pool's servers what is well of ``view`` now."""
        now = self._clock.now()
        wanted = servers(
            self._switchboard.servers(view.id),
            view,
            in_force(record.overrides, now),
            now,
            balancer_checks=self._balancer_checks,
        )
        await self._switchboard.set_servers(view.id, wanted)
        self._sentinel.retain(view.id, [server.name for server in wanted])

    def since(self, pool: PoolId, name: str) -> float | None:
        """Return since when (UNIX seconds) an instance stands as it does, if that was seen."""
        told = self._told.get(pool, {}).get(name)
        return told.since if told is not None else None

    async def _keep(
        self, record: ServiceRecord, rollout: Rollout | None, color: Color, leaving: Collection[str]
    ) -> float | None:
        pool = pool_id(record.stack, record.name, color)
        if pool not in self._switchboard.routing.pools:
            return None
        view = self._observer.view(record.stack, pool)
        kept = replace(view, instances=tuple(i for i in view.instances if i.instance.name not in leaving))
        await self.admit(record, kept)
        await self._tell_changes(record, kept)
        return PROBE_EVERY if self._probe(record, rollout, kept) else None

    def _probe(self, record: ServiceRecord, rollout: Rollout | None, view: PoolView) -> bool:
        """Watch who is no server yet, or whom only we can ask; return whether one is waited for."""
        known = {server.name for server in self._switchboard.servers(view.id)}
        owner = (record.stack, record.name)
        waiting = False
        for one in view.instances:
            if one.instance.name not in known:
                self._examiner.watch(owner, one.instance, view.check, PROBE_EVERY)
                waiting = waiting or (
                    one.health.verdict is not Verdict.HEALTHY and one.instance.health != "unhealthy"
                )
            elif view.check.asked_by_us or not self._balancer_checks:
                self._examiner.watch(owner, one.instance, view.check, view.check.interval)
            elif rollout is None:
                self._examiner.rest(one.instance.name)
        return waiting

    async def _tell_changes(self, record: ServiceRecord, view: PoolView) -> None:
        now = self._clock.now()
        overrides = in_force(record.overrides, now)
        known = {server.name: server for server in self._switchboard.servers(view.id)}
        before = self._told.setdefault(view.id, {})
        events = []
        for name in before.keys() - {i.instance.name for i in view.instances}:
            del before[name]
        for facts in view.instances:
            name = facts.instance.name
            stands = self._standing(facts, view, known.get(name), overrides)
            told = before.get(name)
            if told is not None and told.standing == stands:
                continue
            turned = told is None or told.standing.rotation is not stands.rotation
            before[name] = Told(standing=stands, since=now if turned or told is None else told.since)
            if told is not None and turned:
                kind, words = _WORDS[stands.rotation]
                level = "info" if stands.rotation is Rotation.IN else "warning"
                events.append(
                    instance_told(facts.instance, kind, f"{name} {words}: {stands.why}", now, level)
                )
        if events:
            await self._ledger.commit((), events)

    def _standing(
        self, facts: InstanceFacts, view: PoolView, server: Server | None, overrides: Overrides
    ) -> Standing:
        """Return where an instance stands by what is wanted, and by what the balancer told of it."""
        name = facts.instance.name
        seen = None
        if server is not None:
            complaint = None if server.forced_up else self._sentinel.against(view.id, name)
            seen = ServerFacts(
                name=name,
                host=server.host,
                port=server.port,
                admin=server.admin,
                health=ServerHealth.UP if complaint is None else ServerHealth.DOWN,
                last_check="" if complaint is None else complaint.why,
            )
        return standing(
            replace(facts, server=seen),
            view,
            overrides.get(name),
            routed=True,
            balancer_checks=self._balancer_checks,
        )


_WORDS = {
    Rotation.IN: ("instance.in", "is in rotation"),
    Rotation.OUT: ("instance.out", "is out of rotation"),
    Rotation.NONE: ("instance.out", "is out of rotation"),
}
