"""Collects the facts of one rollout: instances, verdicts, the balancer's view, dependencies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.errors import Temporary
from bluegreen.domain.facts import Facts, InstanceFacts, PoolView
from bluegreen.domain.naming import PoolId, RouteId, service_of
from bluegreen.domain.rollout import AFTER_TRAFFIC, BEFORE_TRAFFIC, Phase, Rollout
from bluegreen.domain.routing import BalancerFacts, PoolFacts
from bluegreen.domain.spec import ServiceSpec
from bluegreen.engine.examiner import Examiner
from bluegreen.engine.inventory import Inventory
from bluegreen.engine.ledger import Ledger
from bluegreen.engine.switchboard import Switchboard
from bluegreen.ports.clock import Clock

PROVING_EVERY = 0.05
"""Seconds between two probes while a release proves itself: the whole wait of a deploy."""

WATCHING_EVERY = 0.25
"""Seconds between two probes of both colors while the way back is open."""

FIRST_ANSWER = 0.02
"""Seconds for which a look waits for a first probe under way: one decision and one write instead of two."""

FRESH = 0.2
"""Seconds for which a look at the instances is fresh enough where events announce changes anyway."""


class Observer:
    def __init__(
        self,
        ledger: Ledger,
        inventory: Inventory,
        examiner: Examiner,
        switchboard: Switchboard,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._inventory = inventory
        self._examiner = examiner
        self._switchboard = switchboard
        self._clock = clock

    async def facts(self, rollout: Rollout) -> Facts:
        """Return a fresh look. Raises ``Temporary`` when the runtime does not answer."""
        if rollout.phase in BEFORE_TRAFFIC and rollout.starts_target:
            await self._inventory.refresh((rollout.stack, rollout.service), older_than=FRESH)
        self._watch(rollout)
        balancer = await self._balancer(rollout)
        if rollout.phase in BEFORE_TRAFFIC:
            await self._examiner.answers((i.instance for i in self.target(rollout).instances), FIRST_ANSWER)
        waiting, failed = self._dependencies(rollout)
        return Facts(
            now=self._clock.now(),
            target=self.target(rollout, balancer),
            source=None if rollout.source is None else self.view(rollout.stack, rollout.source, balancer),
            weights=self._weights(rollout, balancer),
            unheard=() if balancer is None else balancer.unheard,
            waiting_for=waiting,
            failed_dependency=failed,
            down=self._down(rollout),
        )

    async def look_again(self, rollout: Rollout) -> Facts:
        """Return facts with what the runtime says now. Raises ``Temporary`` when it does not answer."""
        await self._inventory.refresh((rollout.stack, rollout.service))
        return await self.facts(rollout)

    def target(self, rollout: Rollout, balancer: BalancerFacts | None = None) -> PoolView:
        """Return the target's pool without what an earlier release left behind in its color."""
        view = self.view(rollout.stack, rollout.target, balancer)
        if not rollout.starts_target:
            return view
        own = tuple(i for i in view.instances if i.instance.release == rollout.release)
        return replace(view, instances=own)

    def view(self, stack: str, pool: PoolId, balancer: BalancerFacts | None = None) -> PoolView:
        """Return one pool as the inventory, the examiner and ``balancer`` see it."""
        key = (stack, service_of(pool))
        known = balancer.pools.get(pool) if balancer is not None else None
        servers = {s.name: s for s in known.servers} if known is not None else {}
        found = tuple(
            InstanceFacts(
                instance=instance,
                health=self._examiner.health(instance),
                server=servers.get(instance.name),
            )
            for instance in self._inventory.instances(key)
            if instance.color is not None and instance.pool == pool
        )
        return PoolView(id=pool, check=self.check(*key), instances=found, in_flight=_in_flight(known))

    def check(self, stack: str, service: str) -> HealthCheck:
        record = self._ledger.stacks.get(stack)
        spec = record.spec.service(service) if record is not None else None
        return HealthCheck() if spec is None else spec.check

    def _watch(self, rollout: Rollout) -> None:
        owner = (rollout.stack, rollout.service)
        hurried = rollout.phase in BEFORE_TRAFFIC and not rollout.paused
        every = PROVING_EVERY if hurried else WATCHING_EVERY
        watched: dict[PoolId, float] = {rollout.target: every}
        if rollout.source is not None and rollout.phase in AFTER_TRAFFIC and rollout.routes:
            watched[rollout.source] = WATCHING_EVERY
        for pool, pause in watched.items():
            view = self.view(rollout.stack, pool)
            for one in view.instances:
                self._examiner.watch(owner, one.instance, view.check, pause)

    async def _balancer(self, rollout: Rollout) -> BalancerFacts | None:
        if not rollout.routes or rollout.phase in {Phase.PREPARING, Phase.STARTING}:
            return None
        pools = [rollout.target] + ([] if rollout.source is None else [rollout.source])
        try:
            return await self._switchboard.observe(pools)
        except Temporary:
            return None  # fail static: what is unknown moves nothing

    def _weights(
        self, rollout: Rollout, balancer: BalancerFacts | None
    ) -> Mapping[RouteId, Mapping[PoolId, int]] | None:
        if not rollout.routes:
            return {}
        if balancer is None:
            return None
        return {route: balancer.weights.get(route, {}) for route in rollout.routes}

    def _dependencies(self, rollout: Rollout) -> tuple[tuple[str, ...], str]:
        if rollout.phase is not Phase.PREPARING:
            return (), ""
        record = self._ledger.stacks.get(rollout.stack)
        spec = record.spec.service(rollout.service) if record is not None else None
        if spec is None:
            return (), ""
        waiting = []
        for name in _needs(spec):
            service = self._ledger.services.get((rollout.stack, name))
            if service is None or service.promoted or service.stopped:
                continue
            if not self._ledger.under_way((rollout.stack, name)):
                return (), name
            waiting.append(name)
        return tuple(waiting), ""

    def _down(self, rollout: Rollout) -> tuple[tuple[str, str], ...]:
        """Return the dependencies of a new release of which nothing runs, and what became of each."""
        record = self._ledger.stacks.get(rollout.stack)
        spec = record.spec.service(rollout.service) if record is not None else None
        if spec is None or rollout.phase not in BEFORE_TRAFFIC or not rollout.starts_target:
            return ()
        found = []
        for name in _needs(spec):
            instances = self._inventory.instances((rollout.stack, name))
            if (rollout.stack, name) in self._ledger.services and not any(i.running for i in instances):
                states = ", ".join(f"{i.name} {i.state}" for i in instances)
                found.append((name, states or "no instance runs"))
        return tuple(found)


def _needs(spec: ServiceSpec) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*spec.depends_on, *(link.service for link in spec.links))))


def _in_flight(pool: PoolFacts | None) -> int | None:
    return None if pool is None else pool.in_flight
