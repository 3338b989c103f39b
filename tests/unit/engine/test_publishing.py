"""A controller publishes, boxes follow, through a registry that fails in every way; all in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from bluegreen.domain.errors import Permanent, Temporary
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.publication import STRUCTURE, Share
from bluegreen.domain.routing import (
    Admin,
    BalancerEvent,
    Listener,
    Pool,
    Route,
    Routing,
    Server,
    ServerHealth,
)
from bluegreen.drivers.clock import SystemClock
from bluegreen.engine.announcer import Announcer
from bluegreen.engine.boxes import Boxes
from bluegreen.engine.follower import Follower, News
from bluegreen.ports.codec import encode
from bluegreen.testing.background import running
from bluegreen.testing.fake_balancer import FakeBalancer
from bluegreen.testing.fake_keepsake import FakeKeepsake
from bluegreen.testing.fake_registry import FakeHouse, FakeRegistry
from bluegreen.testing.waiting import until

BLUE, GREEN = PoolId("shop.web.blue"), PoolId("shop.web.green")
WEB = RouteId("shop.web")


class World:
    """A registry, a controller's side of it, and boxes with their balancers."""

    def __init__(self, *, inner: bool = False) -> None:
        self.house = FakeHouse()
        self.clock = SystemClock()
        self.inner = FakeBalancer() if inner else None
        self.announcer = Announcer(FakeRegistry(self.house), self.clock, "one")
        self.boxes = Boxes(self.announcer, self.clock, self.inner)
        self.news: list[News] = []

    @asynccontextmanager
    async def box(self, name: str, note: FakeKeepsake | None = None) -> AsyncIterator[FakeBalancer]:
        balancer = FakeBalancer()
        follower = Follower(
            FakeRegistry(self.house),
            balancer,
            note or FakeKeepsake(),
            self.clock,
            box=name,
            stacks=["shop"],
            tell=self.news.append,
        )
        async with running(follower.run()):
            yield balancer

    def told(self) -> str:
        return "\n".join(f"{news.kind} {news.message}" for news in self.news)


def routing(live: PoolId = GREEN, *, blue: int = 1, green: int = 2) -> Routing:
    def servers(color: str, count: int) -> tuple[Server, ...]:
        return tuple(
            Server(name=f"shop-web-r1-{color}{n}", host="10.0.0.1", port=8000 + n) for n in range(count)
        )

    return Routing(
        listeners={80: Listener(port=80)},
        routes={WEB: Route(id=WEB, port=80, weights={live: 100})},
        pools={
            BLUE: Pool(id=BLUE, servers=servers("b", blue)),
            GREEN: Pool(id=GREEN, servers=servers("g", green)),
        },
    )


def carries(balancer: FakeBalancer, pool: PoolId) -> Callable[[], bool]:
    def condition() -> bool:
        return WEB in balancer.routing.routes and balancer.routing.routes[WEB].live == (pool,)

    return condition


def play(scenario: Callable[[World], Awaitable[None]], *, inner: bool = False) -> None:
    async def main() -> None:
        world = World(inner=inner)
        async with asyncio.timeout(60), running(world.boxes.supervise()):
            await scenario(world)

    asyncio.run(main())


def test_a_box_carries_what_the_controller_publishes() -> None:
    async def scenario(world: World) -> None:
        await world.boxes.apply(routing())
        async with world.box("north") as balancer:
            await until(carries(balancer, GREEN))
            assert balancer.routing.pools == routing().pools
            await world.boxes.apply(routing(BLUE))
            assert carries(balancer, BLUE)()  # apply waits for those that follow
            assert [dict(w[WEB]) for w in balancer.history] == [{GREEN: 100}, {BLUE: 100}]

    play(scenario)


def test_a_switch_is_done_when_the_last_box_carries_it() -> None:
    async def scenario(world: World) -> None:
        await world.boxes.apply(routing())
        async with world.box("north") as quick, world.box("south") as slow:
            await until(lambda: carries(quick, GREEN)() and carries(slow, GREEN)())
            await until(lambda: len(world.announcer.reports["shop"]) == 2)
            slow.hang("apply")
            await world.boxes.apply(routing(BLUE))
            assert carries(quick, BLUE)()
            facts = await world.boxes.observe([BLUE, GREEN])
            assert dict(facts.weights[WEB]) == {GREEN: 100}
            slow.release()
            await until(lambda: carries(slow, BLUE)())

            async def seen() -> bool:
                return dict((await world.boxes.observe([BLUE])).weights[WEB]) == {BLUE: 100}

            await until(seen)

    play(scenario)


def test_what_a_box_finds_sick_and_has_in_flight_is_seen() -> None:
    async def scenario(world: World) -> None:
        async with world.box("north") as balancer:
            await world.boxes.apply(routing())
            await until(carries(balancer, GREEN))
            await until(lambda: bool(world.announcer.reports["shop"]["north"].pools))
            balancer.set_health(GREEN, "shop-web-r1-g0", ServerHealth.DOWN)
            balancer.set_in_flight(BLUE, 3)
            balancer.emit(BalancerEvent())

            async def seen() -> bool:
                facts = await world.boxes.observe([BLUE, GREEN])
                health = {s.name: s.health for s in facts.pools[GREEN].servers}
                down = health.get("shop-web-r1-g0") is ServerHealth.DOWN
                return down and facts.pools[BLUE].in_flight == 3

            await until(seen)
            balancer.set_in_flight(BLUE, 0)

            async def idle() -> bool:
                return (await world.boxes.observe([BLUE])).pools[BLUE].in_flight == 0

            await until(idle)

    play(scenario)


def test_without_any_box_nobody_carries_anything() -> None:
    async def scenario(world: World) -> None:
        await world.boxes.apply(routing())
        with pytest.raises(Temporary) as told:
            await world.boxes.observe([GREEN])
        assert told.value.code == "no_box"
        assert "bluegreen balancer --from" in told.value.hint

    play(scenario)


def test_a_server_that_leaves_drains_first_and_is_gone_when_apply_returns() -> None:
    async def scenario(world: World) -> None:
        async with world.box("north") as balancer:
            await world.boxes.apply(routing())
            await until(carries(balancer, GREEN))
            await until(lambda: bool(world.announcer.reports.get("shop")))
            seen: list[list[Admin]] = []
            whole = routing()
            async with noting(balancer, seen):
                await world.boxes.apply(whole.with_servers(GREEN, whole.pools[GREEN].servers[:1]))
            assert [Admin.READY, Admin.DRAIN] in seen
            assert set(world.house.announced["shop"]) == {"shop-web-r1-b0", "shop-web-r1-g0"}
            await until(lambda: len(balancer.routing.pools[GREEN].servers) == 1)

    play(scenario)


def test_without_any_box_who_left_is_shown_as_draining_for_a_moment() -> None:
    async def scenario(world: World) -> None:
        assert world.inner is not None
        await world.boxes.apply(routing())
        world.house.silent = True
        await world.boxes.apply(routing(green=1))
        world.house.silent = False
        world.house.changed()

        def draining() -> bool:
            return world.house.announced["shop"]["shop-web-r1-g1"].draining

        await until(draining)
        await until(lambda: "shop-web-r1-g1" not in world.house.announced["shop"])

    play(scenario, inner=True)


@asynccontextmanager
async def noting(balancer: FakeBalancer, seen: list[list[Admin]]) -> AsyncIterator[None]:
    """Note each state of the green pool's servers that the balancer was ever given."""

    async def note() -> None:
        while True:
            seen.append([server.admin for server in balancer.routing.pools[GREEN].servers])
            await asyncio.sleep(0)

    async with running(note()):
        yield


def test_the_registry_is_lost_and_the_last_good_stays() -> None:
    async def scenario(world: World) -> None:
        note = FakeKeepsake()
        async with world.box("north", note) as balancer:
            await world.boxes.apply(routing())
            await until(carries(balancer, GREEN))
            await until(lambda: note.text is not None)
            world.house.silent = True
            world.house.changed()
            await until(lambda: "registry.doubted" in world.told())
            assert carries(balancer, GREEN)()
            with pytest.raises(Temporary) as told:
                await world.boxes.apply(routing(BLUE))
            assert told.value.code == "registry_down"
        async with world.box("north", note) as reborn:  # booted while the registry is down
            await until(carries(reborn, GREEN))
            await until(lambda: world.told().count("registry.doubted") == 2)
            world.house.silent = False
            world.house.changed()
            await until(carries(reborn, BLUE))  # what was wanted is told as soon as it can be
            await until(lambda: "registry.believed" in world.told())

    play(scenario)


def test_the_copy_is_never_behind_what_a_box_carries() -> None:
    async def scenario(world: World) -> None:
        note = FakeKeepsake()
        for target in (GREEN, BLUE, GREEN):
            await world.boxes.apply(routing(target))
            async with world.box("north", note) as balancer:
                await until(carries(balancer, target))
            world.house.silent = True  # killed at once, and started again while the registry is down
            async with world.box("north", note) as reborn:
                await until(carries(reborn, target))
                assert [dict(w[WEB]) for w in reborn.history] == [{target: 100}]
            world.house.silent = False

    play(scenario)


def test_what_a_balancer_refuses_is_not_what_a_box_begins_with() -> None:
    async def scenario(world: World) -> None:
        note = FakeKeepsake()
        await world.boxes.apply(routing())
        async with world.box("north", note) as balancer:
            await until(carries(balancer, GREEN))
            for nth in range(1, 100):
                refusal = Permanent("no", code="balancer_refused", hint="Mend it.")
                balancer.fail("apply", refusal, nth=nth)
            await world.boxes.apply(routing(BLUE))
            await until(lambda: "box.refused" in world.told())
            await until(lambda: '"shop.web.green":100' in (note.text or ""))
            assert carries(balancer, GREEN)()

    play(scenario)


def test_with_a_balancer_of_its_own_a_silent_registry_holds_up_nothing() -> None:
    async def scenario(world: World) -> None:
        assert world.inner is not None
        await world.boxes.apply(routing())
        world.house.silent = True
        await world.boxes.apply(routing(BLUE))
        assert carries(world.inner, BLUE)()
        assert world.announcer.standing.code == "registry_down"
        assert dict((await world.boxes.observe([BLUE])).weights[WEB]) == {BLUE: 100}
        world.house.silent = False
        await until(lambda: world.announcer.standing.since is None)
        async with world.box("north") as balancer:
            await until(carries(balancer, BLUE))

    play(scenario, inner=True)


def test_what_a_registry_forgot_is_told_again() -> None:
    async def scenario(world: World) -> None:
        async with world.box("north") as balancer:
            await world.boxes.apply(routing(BLUE))
            await until(carries(balancer, BLUE))
            world.house.forget()
            await until(lambda: STRUCTURE in world.house.documents.get("shop", {}))
            await until(lambda: len(world.house.announced.get("shop", {})) == 3)
            assert carries(balancer, BLUE)()
            await world.boxes.apply(routing(GREEN))
            await until(carries(balancer, GREEN))

    play(scenario)


def test_what_another_controller_said_since_is_not_overwritten() -> None:
    async def scenario(world: World) -> None:
        await world.boxes.apply(routing())
        other = FakeRegistry(world.house)
        newer = Share(revision=10**15, weights={BLUE: 100}, owner="two")
        await other.write("shop", "routes/web", encode(newer), None)
        with pytest.raises(Temporary) as told:
            await world.boxes.apply(routing(PoolId("shop.api.blue")))
        assert told.value.code == "conflict"
        async with world.box("north") as balancer:
            await until(carries(balancer, BLUE))
            await world.boxes.apply(routing(GREEN))  # a command that came after it
            await until(carries(balancer, GREEN))

    play(scenario)


def test_a_flapping_registry_moves_nobody() -> None:
    async def scenario(world: World) -> None:
        async with world.box("north") as balancer:
            await world.boxes.apply(routing())
            await until(carries(balancer, GREEN))
            truth = await FakeRegistry(world.house).list("shop")
            applied = balancer.calls.count("apply")
            for _ in range(50):
                world.house.told_instead = truth.__class__(stack="shop")
                world.house.changed()
                await asyncio.sleep(0)
                world.house.told_instead = None
                world.house.changed()
                await asyncio.sleep(0)
            await until(lambda: not world.house.told_instead)
            assert carries(balancer, GREEN)()
            assert balancer.calls.count("apply") - applied < 10

    play(scenario)


def test_a_conflict_about_one_stack_withholds_nothing_of_another() -> None:
    async def scenario(world: World) -> None:
        zoo, way = PoolId("zoo.web.blue"), RouteId("zoo.web")
        both = routing()
        both = replace(
            both,
            listeners={**both.listeners, 81: Listener(port=81)},
            routes={**both.routes, way: Route(id=way, port=81, weights={zoo: 100})},
            pools={**both.pools, zoo: Pool(id=zoo)},
        )
        await world.boxes.apply(routing())
        newer = Share(revision=10**15, weights={BLUE: 100}, owner="two")
        await FakeRegistry(world.house).write("shop", "routes/web", encode(newer), None)
        with pytest.raises(Temporary):
            await world.boxes.apply(both.with_weights(WEB, {PoolId("shop.api.blue"): 100}))
        await world.boxes.apply(both)
        assert "routes/web" in world.house.documents["zoo"]

    play(scenario)


def test_a_stack_that_is_taken_down_is_taken_down_everywhere() -> None:
    async def scenario(world: World) -> None:
        async with world.box("north") as balancer:
            await world.boxes.apply(routing())
            await until(carries(balancer, GREEN))
            await world.boxes.apply(Routing())
            await until(lambda: not balancer.routing.listeners)
            assert world.house.announced["shop"] == {}

    play(scenario)
