"""The world around an engine, in memory, and controllers that come and go in it.

The fakes are the world: they outlive every controller. :class:`Watchman` looks at the live routes
after every single call, so that no moment without a healthy pool goes unseen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.errors import Temporary
from bluegreen.domain.health import ProbeResult
from bluegreen.domain.instance import Instance
from bluegreen.domain.naming import PoolId, RouteId, route_id
from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.rollout import Rollout
from bluegreen.domain.routing import BalancerEvent, BalancerFacts, Listener, Routing, ServerHealth
from bluegreen.domain.spec import Link, RestartPolicy, ServiceSpec
from bluegreen.domain.stack import BalancerSpec, RouteSpec, StackSpec
from bluegreen.engine.commands import stacks
from bluegreen.engine.drivers import Drivers
from bluegreen.engine.engine import Engine
from bluegreen.ports.journal import Query
from bluegreen.testing.fake_access import FakeAccess
from bluegreen.testing.fake_answers import FakeAnswers
from bluegreen.testing.fake_balancer import FakeBalancer
from bluegreen.testing.fake_hooks import FakeHooks
from bluegreen.testing.fake_journal import Crash, FakeJournal
from bluegreen.testing.fake_prober import FakeProber
from bluegreen.testing.fake_runtime import FakeRuntime
from bluegreen.testing.virtual_time import VirtualClock
from tests.unit.engine.tripwire import Tripwire

PATIENCE = 400.0
"""Virtual seconds after which something that ought to happen is taken never to happen."""

POLICY = RolloutPolicy(start_deadline=5.0, bake=2.0, drain=2.0, step_pause=1.0)
CHECK = HealthCheck(path="/ping", rise=1, fall=2)


def service(name: str = "web", image: str | None = None, **settings: object) -> ServiceSpec:
    defaults: dict[str, object] = {
        "image": image or f"{name}:1",
        "expose": (3000,),
        "check": CHECK,
        "restart": RestartPolicy.NO,
        "rollout": POLICY,
        "stop_grace": 1.0,
    }
    return ServiceSpec(name=name, **(defaults | settings))  # type: ignore[arg-type]


def managed(*others: ServiceSpec, **settings: object) -> StackSpec:
    """One routed service, ``web``, whose deploys alternate colors."""
    return StackSpec(
        name="shop",
        services=(*others, service("web", **settings)),
        balancers=(
            BalancerSpec(
                name="lb", links=(Link(service="web", alias="web"),), listeners=(Listener(port=80),)
            ),
        ),
        routes=(RouteSpec(name="lb", balancer="lb", port=80, target="web", candidates=("web",)),),
    )


def two_colors(**settings: object) -> StackSpec:
    """Docker Cloud's way: two declared services, and a balancer whose links name the live one."""
    link = Link(service="db", alias="db")
    return StackSpec(
        name="shop",
        services=(
            service("db", check=HealthCheck()),
            service("webx-green", links=(link,), **settings),
            service("webx-blue", links=(link,), **settings),
        ),
        balancers=(
            BalancerSpec(
                name="lbx",
                links=(Link(service="webx-green", alias="webx-green"),),
                listeners=(Listener(port=80),),
            ),
        ),
        routes=(
            RouteSpec(
                name="lbx",
                balancer="lbx",
                port=80,
                target="webx-green",
                candidates=("webx-green", "webx-blue"),
            ),
        ),
    )


class World:
    """``sick`` holds what is ill: instance names, or ``service@release``. ``hung`` holds the incarnations
    that do not answer at all."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.runtime = FakeRuntime(now=self.clock.now)
        self.balancer = _Mute()
        self.journal = FakeJournal()
        self.answers = FakeAnswers()
        self.sick: set[str] = set()
        self.hung: set[str] = set()
        self.prober = _Eyes(self)
        self.watchman = Watchman(self)
        self.route = route_id("shop", "lb")

    def well(self, instance: Instance) -> bool:
        names = {instance.name, f"{instance.service}@{instance.release}"}
        return instance.running and not names & self.sick and not self.hangs(instance)

    def hangs(self, instance: Instance) -> bool:
        return instance.incarnation in self.hung

    def hang(self, *names: str) -> None:
        """Let the processes that run now hang, and the balancer's check find it out."""
        for name in names:
            instance = self.runtime.instances[name]
            self.hung.add(instance.incarnation)
            self.complain(name)

    def complain(self, name: str, health: ServerHealth = ServerHealth.DOWN) -> None:
        """Let the balancer tell what its check says now."""
        instance = self.runtime.instances[name]
        self.see_health()
        self.balancer.emit(
            BalancerEvent(
                pool=instance.pool, server=name, health=health, why="Layer7 timeout", at=self.clock.now()
            )
        )

    def instances(self, service: str) -> list[Instance]:
        return sorted(
            (i for i in self.runtime.instances.values() if i.service == service), key=lambda i: i.name
        )

    def weights(self, route: str = "lb") -> dict[str, int]:
        return dict(self.balancer.routing.routes[route_id("shop", route)].weights)

    def serving(self, pool: PoolId) -> list[Instance]:
        """Return the well instances at which the balancer sends the requests of ``pool``."""
        found = self.balancer.routing.pools.get(pool)
        places = {(s.host, s.port) for s in found.servers} if found is not None else set()
        return [i for i in self.runtime.instances.values() if (i.host, i.port) in places and self.well(i)]

    def serves(self, route: str = "lb") -> set[tuple[str, int]]:
        """Return which service and release answer on ``route`` now."""
        live = self.balancer.routing.routes[route_id("shop", route)].live
        return {(i.service, i.release) for pool in live for i in self.serving(pool)}

    def see_health(self) -> None:
        """Let the balancer's checks see what our probe would."""
        by_place = {(i.host, i.port): i for i in self.runtime.instances.values()}
        for pool in self.balancer.routing.pools.values():
            for server in pool.servers:
                instance = by_place.get((server.host, server.port))
                well = instance is not None and self.well(instance)
                self.balancer.set_health(pool.id, server.name, ServerHealth.UP if well else ServerHealth.DOWN)

    async def rollout(self, id: str) -> Rollout:
        return (await self.journal.rollouts(Query(rollout=id)))[0]

    @asynccontextmanager
    async def controller(self, wire: Tripwire | None = None, owner: str = "me") -> AsyncIterator[Engine]:
        """Run a controller until the block ends. One that dies ends the block with ``Crash``."""
        wire = wire or Tripwire()
        wire.watch = self.watchman.look
        engine = Engine(
            Drivers(
                runtime=wire.wrap(self.runtime),
                console=self.runtime,
                balancer=wire.wrap(self.balancer),
                journal=wire.wrap(self.journal),
                access=FakeAccess(),
                answers=self.answers,
                hooks=FakeHooks(),
                prober=wire.wrap(self.prober),
                clock=self.clock,
            ),
            owner,
        )
        ready = asyncio.Event()
        me = asyncio.current_task()
        assert me is not None
        died: list[BaseException] = []
        leaving = asyncio.Event()

        async def live() -> None:
            try:
                await engine.run(ready)
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                died.append(error)
                if not leaving.is_set():
                    me.cancel()

        task = asyncio.create_task(live())
        try:
            await ready.wait()
            yield engine
        except asyncio.CancelledError:
            if not died:
                raise
            raise first(died[0]) from None
        finally:
            leaving.set()
            task.cancel()
            await asyncio.wait({task})


class _Mute(FakeBalancer):
    """While ``silent`` it says nothing and takes nothing, but carries the traffic. ``outdated`` is what it
    tells of itself instead of the truth."""

    silent = False
    outdated: BalancerFacts | None = None

    async def apply(self, routing: Routing) -> None:
        self._speak()
        await super().apply(routing)

    async def observe(self, pools: Collection[PoolId] | None = None) -> BalancerFacts:
        self._speak()
        return self.outdated or await super().observe(pools)

    def _speak(self) -> None:
        if self.silent:
            raise Temporary("no answer", code="balancer_down")


class _Eyes(FakeProber):
    """Sees of each address what the instance there would answer."""

    def __init__(self, world: World) -> None:
        super().__init__(now=world.clock.now)
        self._world = world

    async def probe(self, host: str, port: int, check: HealthCheck) -> ProbeResult:
        self._world.see_health()
        found = next((i for i in self._world.runtime.instances.values() if i.host == host), None)
        if found is None:
            self.refuse(host, port)
        elif self._world.hangs(found):
            self.silence(host, port)
        else:
            self.serve(host, port, 200 if self._world.well(found) else 500)
        return await super().probe(host, port, check)


@dataclass(slots=True)
class Watchman:
    """Notes every call that took a route's last healthy instance away; what dies by itself is no fault."""

    world: World
    gaps: list[str] = field(default_factory=list)
    off: bool = False

    def look(self, call: str) -> Callable[[], None]:
        acts = call.endswith((".apply", ".stop", ".remove", ".start"))
        before = self._served() if acts else set()

        def after() -> None:
            self.world.see_health()
            for route in () if self.off else sorted(before - self._served()):
                known = self.world.balancer.routing.routes.get(route)
                self.gaps.append(f"{call}: {route} -> {dict(known.weights) if known else 'gone'}")

        return after

    def _served(self) -> set[RouteId]:
        routes = self.world.balancer.routing.routes.values()
        for route in routes:
            if sum(route.weights.values()) not in (0, 100):
                self.gaps.append(f"weights of {route.id} sum to {sum(route.weights.values())}")
        return {r.id for r in routes if any(self.world.serving(pool) for pool in r.live)}


def first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        crashes = error.split(Crash)[0]
        error = (crashes or error).exceptions[0]
    return error


async def until(condition: Callable[[], object], timeout: float = PATIENCE) -> None:
    """Wait in virtual time. Raises ``AssertionError`` when it does not come true."""
    try:
        async with asyncio.timeout(timeout):
            while not condition():  # noqa: ASYNC110 - time is virtual here: looking costs none
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {timeout} virtual seconds") from None


async def reaches(engine: Engine, rollout: Rollout, condition: Callable[[Rollout], bool]) -> Rollout:
    """Wait until ``condition`` holds of the rollout."""
    return await engine.until(rollout.id, condition, PATIENCE)


async def finished(world: World, rollout: Rollout) -> Rollout:
    """Wait until the journal knows the rollout's end."""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await world.journal.rollouts(Query(rollout=rollout.id))
                if found and found[0].final:
                    return found[0]
                await asyncio.sleep(0.05)
    except TimeoutError:
        stuck = [(r.phase, r.reason) for r in found]
        said = [e.message for e in (await world.journal.events(Query()))[-8:]]
        raise AssertionError(f"never ended: {stuck}; last said: {said}") from None


async def bring_up(world: World, engine: Engine, stack: StackSpec) -> None:
    """Bring a stack up and wait until all of its rollouts have ended well."""
    outcome = await stacks.up(engine, stack)
    for rollout in outcome.rollouts:
        ended = await finished(world, rollout)
        assert ended.phase == "done", (ended.service, ended.phase, ended.reason)
