"""The engine: recovers from the journal and the world, then keeps one loop per service running.

Start-up order matters: first what runs is looked at, then the routing is composed from the stacks
and given the weights and servers the balancer already carries, and only then anything may act. So a
controller that starts changes no traffic.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Collection
from contextlib import suppress

import structlog

from bluegreen.domain.composition import compose
from bluegreen.domain.errors import BluegreenError, OutcomeUnknown, Temporary
from bluegreen.domain.events import Event
from bluegreen.domain.instance import RuntimeEvent, RuntimeEventKind
from bluegreen.domain.live import remembered_weights
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.rollout import Phase, Rollout
from bluegreen.domain.routing import BalancerFacts, Routing, Server
from bluegreen.engine import errand, narrate
from bluegreen.engine.asking import Asker
from bluegreen.engine.bus import Behind, Bus
from bluegreen.engine.draft import Draft
from bluegreen.engine.drivers import Drivers
from bluegreen.engine.endings import Endings
from bluegreen.engine.evidence import Evidence
from bluegreen.engine.examiner import Examiner
from bluegreen.engine.guardian import Guardian
from bluegreen.engine.inventory import Inventory
from bluegreen.engine.keeper import Keeper
from bluegreen.engine.ledger import Ledger, ServiceKey
from bluegreen.engine.loop import ServiceLoop
from bluegreen.engine.meter import Meter
from bluegreen.engine.observe import Observer
from bluegreen.engine.perform import Performer
from bluegreen.engine.pools import Pools
from bluegreen.engine.runner import Runner
from bluegreen.engine.sentinel import Sentinel
from bluegreen.engine.switchboard import Switchboard
from bluegreen.ports.journal import Query

LEASE = "controller"
LEASE_TTL = 15.0
LEASE_EVERY = 5.0
INVENTORY_PATIENCE = 15.0
BEGIN_DEADLINE = 20.0
BALANCER_PATIENCE = 10.0
BALANCER_RETRY = 0.25
LEASE_DEADLINE = 4.0

_TOLD = {
    RuntimeEventKind.DIED: ("instance.died", "ended"),
    RuntimeEventKind.OOM: ("instance.oom", "ran out of memory"),
    RuntimeEventKind.PAUSED: ("instance.paused", "was paused"),
    RuntimeEventKind.RESUMED: ("instance.resumed", "was resumed"),
}
"""What the history tells of instances, besides what the engine itself does to them."""

log = structlog.get_logger()


class Engine:
    def __init__(self, drivers: Drivers, owner: str) -> None:
        self.drivers = drivers
        self.owner = owner
        self.clock = drivers.clock
        self.bus = Bus()
        self.ledger = Ledger(drivers.journal, self.bus)
        self.switchboard = Switchboard(drivers.balancer)
        self.meter = Meter(drivers.requests, drivers.clock, lambda: self.switchboard.routing.pools)
        chance = random.Random(owner)
        self.inventory = Inventory(drivers.runtime, drivers.clock, self._on_runtime, chance)
        self._loops: dict[ServiceKey, ServiceLoop] = {}
        self._tasks: dict[ServiceKey, asyncio.Task[None]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def run(self, ready: asyncio.Event) -> None:
        """Run until cancelled. Sets ``ready`` once commands may be given."""
        await self._hold_lease()
        async with asyncio.TaskGroup() as group:
            self._wire(group)
            group.create_task(self._keep_lease())
            await self.ledger.load()
            group.create_task(self.drivers.balancer.supervise())
            group.create_task(self.inventory.follow())
            group.create_task(self.sentinel.follow())
            group.create_task(self.meter.follow())
            await self._recover()
            for key in self.ledger.services:
                self.loop(key)
            log.info("engine.ready", services=len(self.ledger.services))
            ready.set()

    def _wire(self, group: asyncio.TaskGroup) -> None:
        clock = self.clock
        self._group = group
        asker = Asker(self.drivers.prober, self.drivers.console, clock)
        self.examiner = Examiner(asker, clock, self.wake, group)
        self.observer = Observer(self.ledger, self.inventory, self.examiner, self.switchboard, clock)
        self.sentinel = Sentinel(self.drivers.balancer, self.switchboard, clock, self.wake)
        self.pools = Pools(
            self.ledger,
            self.examiner,
            self.observer,
            self.switchboard,
            self.sentinel,
            clock,
            balancer_checks=self.drivers.balancer.checks,
        )
        self.guardian = Guardian(
            self.ledger,
            self.examiner,
            self.observer,
            self.switchboard,
            self.sentinel,
            self.drivers.console,
            clock,
        )
        self.performer = Performer(
            self.drivers, self.ledger, self.inventory, self.observer, self.switchboard, self.pools, clock
        )
        self.runner = Runner(
            self.ledger, self.observer, self.performer, Evidence(self.drivers.console), clock
        )
        self.keeper = Keeper(
            self.ledger,
            self.inventory,
            self.pools,
            self.guardian,
            self.performer,
            self.switchboard,
            Endings(self.wake, group),
            clock,
        )

    def loop(self, key: ServiceKey) -> ServiceLoop:
        """Return the loop of a service, started if needed."""
        if key not in self._loops:
            loop = ServiceLoop(key, self.ledger, self.runner, self.keeper, self.clock, self.inventory.ready)
            self._loops[key] = loop
            self._tasks[key] = self._group.create_task(loop.run(), name="/".join(key))
        return self._loops[key]

    @property
    def loops(self) -> int:
        """How many services are looked after."""
        return len(self._loops)

    async def end_loop(self, key: ServiceKey) -> None:
        """Stop acting on a service. What runs of it keeps running."""
        self._loops.pop(key, None)
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def lock(self, stack: str) -> asyncio.Lock:
        """Return the lock under which commands of one stack are taken one at a time."""
        return self._locks.setdefault(stack, asyncio.Lock())

    async def begin(self, *rollouts: Rollout) -> None:
        """Hand new rollouts to their services' loops, all in one moment; return once they are in the
        journal. Raises ``OutcomeUnknown`` (``not_recorded``) when that takes too long: they are given
        up, and traffic is as it was.
        """
        drafts = {rollout.id: self._draft(rollout) for rollout in rollouts}
        durable = [draft.durable() for draft in drafts.values()]
        for draft in drafts.values():
            self.loop((draft.rollout.stack, draft.rollout.service)).begin(draft)
        if durable:
            _, waiting = await asyncio.wait(durable, timeout=BEGIN_DEADLINE)
            if waiting:
                raise self._given_up(list(drafts.values()))

    def _draft(self, rollout: Rollout) -> Draft:
        self.ledger.begun[(rollout.stack, rollout.service)] = rollout
        began = narrate.began(rollout, self.clock.now())
        return Draft(rollout, events=[errand.marked(began, errand.current())])

    def _given_up(self, drafts: list[Draft]) -> OutcomeUnknown:
        unwritten = [draft for draft in drafts if draft.events]
        for draft in unwritten:
            self.loop((draft.rollout.stack, draft.rollout.service)).withdraw(draft)
        troubles = dict.fromkeys(draft.trouble for draft in unwritten if draft.trouble)
        return OutcomeUnknown(
            f"the journal did not take the beginning of the rollout within {BEGIN_DEADLINE:g} s",
            code="not_recorded",
            evidence=tuple(("journal", trouble) for trouble in troubles),
            hint="Traffic is as it was. Mend the journal's disk, look at `bluegreen status`, try again.",
        )

    def active(self, key: ServiceKey) -> Rollout | None:
        """Return the rollout of a service that is not final, recorded or about to be."""
        begun = self._loops[key].rollout if key in self._loops else None
        return begun or self.ledger.active.get(key)

    def rollouts(self) -> tuple[Rollout, ...]:
        """Return every rollout that is not final and the latest that are, newest last."""
        begun = [loop.rollout for loop in self._loops.values() if loop.rollout is not None]
        known = {r.id: r for r in (*self.ledger.recent.values(), *begun, *self.ledger.active.values())}
        return tuple(sorted(known.values(), key=lambda r: r.created_at))

    async def until(
        self, id: str, condition: Callable[[Rollout], bool], timeout: float | None = None
    ) -> Rollout:
        """Return the rollout once ``condition`` holds of it. Raises ``Temporary`` at the deadline."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    with suppress(Behind), self.bus.listen() as events:
                        while True:
                            known = next((r for r in self.rollouts() if r.id == id), None)
                            if known is not None and condition(known):
                                return known
                            await events.get()
        except TimeoutError as error:
            raise Temporary(
                f"rollout {id} did not get there within {timeout:g} s",
                code="deadline",
                hint="`bluegreen status` shows what it waits for.",
            ) from error

    async def last_source(self, stack: str, routes: Collection[RouteId]) -> PoolId | None:
        """Return the pool that had the traffic of ``routes`` before the last rollout that moved it."""
        for rollout in await self.drivers.journal.rollouts(Query(stack=stack, limit=100)):
            if rollout.phase is Phase.DONE and rollout.source and set(routes) & set(rollout.routes):
                return rollout.source
        return None

    async def compose(self) -> None:
        """Give the balancer the structure of all stacks as they are wanted now."""
        await self.switchboard.compose(record.spec for record in self.ledger.stacks.values())

    def wake(self, key: ServiceKey) -> None:
        if key in self._loops:
            self._loops[key].wake()

    def _on_runtime(self, key: ServiceKey | None, event: RuntimeEvent | None) -> None:
        for loop in self._loops.values() if key is None else ():
            loop.wake()
        if key is not None:
            self.wake(key)
            if event is not None and event.kind in _TOLD and key in self.ledger.services:
                self._group.create_task(self._tell(event))

    async def _tell(self, event: RuntimeEvent) -> None:
        """Write into the history what happened to an instance, by whoever's hand."""
        kind, did = _TOLD[event.kind]
        words = f"{event.instance} {did}"
        told = Event(
            kind=kind,
            message=f"{words} ({event.detail})" if event.detail else words,
            at=self.clock.now(),
            stack=event.stack,
            service=event.service,
            level="warning" if event.kind is RuntimeEventKind.OOM else "info",
        )
        try:
            await self.ledger.commit((), (told,))
        except (BluegreenError, TimeoutError) as error:
            log.warning("journal.unwritable", error=str(error))

    async def _recover(self) -> None:
        try:
            async with asyncio.timeout(INVENTORY_PATIENCE):
                await self.inventory.ready.wait()
        except TimeoutError:
            log.warning("engine.runtime_silent", hint="going on; nothing is stopped or moved meanwhile")
        stacks = [record.spec for record in self.ledger.stacks.values()]
        if not stacks:
            return
        routing = compose(stacks, Routing())
        if not routing.listeners:
            return
        facts = await self._first_look_at_the_balancer(routing.pools)
        routing = self._with_what_runs(routing) if facts is None else self.switchboard.adopt(routing, facts)
        fallback = self._remembered()
        for route, known in routing.routes.items():
            if not known.weights and route in fallback:
                routing = routing.with_weights(route, fallback[route])
        await self.switchboard.resume(routing)

    async def _first_look_at_the_balancer(self, pools: Collection[PoolId]) -> BalancerFacts | None:
        """Return what it carries, once it answers; ``None`` when it does not for a long time."""
        patience = self.clock.now() + BALANCER_PATIENCE
        while True:
            try:
                return await self.switchboard.observe(pools)
            except BluegreenError as error:
                if self.clock.now() >= patience:
                    log.warning("engine.balancer_silent", error=error.message)
                    return None
                await self.clock.wait(asyncio.Event(), BALANCER_RETRY)

    def _with_what_runs(self, routing: Routing) -> Routing:
        """Return ``routing`` with the instances that run as servers: never an empty pool by ignorance."""
        for pool in routing.pools:
            found = (i for i in self.inventory.everything() if i.pool == pool)
            servers = tuple(
                Server(name=i.name, host=i.host, port=i.port)
                for i in found
                if i.running and i.host is not None and i.port is not None
            )
            routing = routing.with_servers(pool, servers)
        return routing

    def _remembered(self) -> dict[RouteId, dict[PoolId, int]]:
        services = self.ledger.services
        found: dict[RouteId, dict[PoolId, int]] = {}
        for record in self.ledger.stacks.values():
            found |= remembered_weights(record.spec, services)
        return found

    async def _hold_lease(self) -> None:
        await self._lease(LEASE_TTL)

    async def _lease(self, ttl: float) -> None:
        async with asyncio.timeout(LEASE_DEADLINE):
            await self.drivers.journal.hold(LEASE, self.owner, self.clock.now(), ttl)

    async def _keep_lease(self) -> None:
        try:
            while True:
                await self.clock.wait(asyncio.Event(), LEASE_EVERY)
                try:
                    await self._hold_lease()
                except (BluegreenError, TimeoutError) as error:
                    if isinstance(error, BluegreenError) and error.code == "lease_held":
                        raise  # somebody else acts now: stop at once, compensate nothing
                    log.warning("engine.lease_not_renewed", error=str(error) or "no answer in time")
        finally:
            with contextlib.suppress(BluegreenError, TimeoutError):
                await self._lease(0)  # what is not given back expires
