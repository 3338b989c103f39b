"""Keeps the servers of a service's pools in step with what is well, and tells who went in and out, and why.

Called by the keeper at every look. What it remembers of an instance is only what was last told of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from bluegreen.domain.events import Event
from bluegreen.domain.facts import PoolView
from bluegreen.domain.health import Verdict
from bluegreen.domain.naming import Color, PoolId, pool_id, service_of
from bluegreen.domain.override import Overrides, in_force, next_end
from bluegreen.domain.release import ServiceRecord
from bluegreen.domain.rollout import Rollout
from bluegreen.domain.rotation import Rotation, Standing, all_refused, servers, standing
from bluegreen.domain.routing import Server, ServerFacts, ServerHealth
from bluegreen.domain.slots import tended
from bluegreen.domain.upkeep import abandoned
from bluegreen.engine.examiner import Examiner
from bluegreen.engine.ledger import Ledger, ServiceKey
from bluegreen.engine.narrate import instance_told
from bluegreen.engine.observe import Observer
from bluegreen.engine.sentinel import Sentinel
from bluegreen.engine.switchboard import Switchboard
from bluegreen.ports.clock import Clock

PROBE_EVERY = 0.25
"""Seconds between probes of an instance that came back and is not yet a server again."""


NONE_PASSES = "none_passes"
"""The code of the alarm that every instance of a pool with traffic fails its check."""


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
        self._alarmed: set[PoolId] = set()

    def alarm(self, key: ServiceKey) -> str:
        """Return why people are to look at a service's pools; empty when nothing is the matter."""
        return NONE_PASSES if any(pool_id(*key, color) in self._alarmed for color in Color) else ""

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
        found = self._standings(view, overrides)
        before = self._told.setdefault(view.id, {})
        events = self._alarms(view, found, now)
        for name in before.keys() - found.keys():
            del before[name]
        for facts in view.instances:
            name = facts.instance.name
            stands, told = found[name], before.get(name)
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

    def _standings(self, view: PoolView, overrides: Overrides) -> dict[str, Standing]:
        """Return where each instance stands by what is wanted, and by what the balancer told of it."""
        seen = {server.name: self._seen(view.id, server) for server in self._switchboard.servers(view.id)}
        options = self._switchboard.routing.pools[view.id].options
        last_good = options.keep_last_good and all_refused(seen.values())
        return {
            facts.instance.name: standing(
                replace(facts, server=seen.get(facts.instance.name)),
                view,
                overrides.get(facts.instance.name),
                routed=True,
                balancer_checks=self._balancer_checks,
                last_good=last_good,
            )
            for facts in view.instances
        }

    def _seen(self, pool: PoolId, server: Server) -> ServerFacts:
        complaint = None if server.forced_up else self._sentinel.against(pool, server.name)
        return ServerFacts(
            name=server.name,
            host=server.host,
            port=server.port,
            admin=server.admin,
            health=ServerHealth.UP if complaint is None else ServerHealth.DOWN,
            last_check="" if complaint is None else complaint.why,
        )

    def _alarms(self, view: PoolView, found: Mapping[str, Standing], now: float) -> list[Event]:
        """Tell people once when all that have a pool's traffic are sick: the cause lies elsewhere."""
        serving = [stands for stands in found.values() if stands.rotation is Rotation.IN]
        has_traffic = any(view.id in route.live for route in self._switchboard.routing.routes.values())
        if not (has_traffic and serving and all(stands.kept for stands in serving)):
            self._alarmed.discard(view.id)
            return []
        if view.id in self._alarmed:
            return []
        self._alarmed.add(view.id)
        message = (
            f"{service_of(view.id)}: no instance passes its check ({serving[0].why}); those that run keep "
            "their requests, and none is restarted for it. Look at what they all depend on, and at the check."
        )
        return [instance_told(view.instances[0].instance, "service.alarm", message, now, "error")]


_WORDS = {
    Rotation.IN: ("instance.in", "is in rotation"),
    Rotation.OUT: ("instance.out", "is out of rotation"),
    Rotation.NONE: ("instance.out", "is out of rotation"),
}
