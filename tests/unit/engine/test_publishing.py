"""A controller publishes, boxes follow, and report back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bluegreen.domain.errors import Temporary
from bluegreen.domain.routing import (
    Admin,
    BalancerEvent,
    Routing,
    ServerHealth,
)
from bluegreen.engine.announcer import Announcer
from bluegreen.testing.background import running
from bluegreen.testing.fake_balancer import FakeBalancer
from bluegreen.testing.fake_registry import FakeRegistry
from bluegreen.testing.waiting import until
from tests.unit.engine.boxes_world import BLUE, GREEN, WEB, World, carries, play, routing


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
            await until(lambda: len(world.announcer.reports.get("shop", ())) == 2)
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


def test_a_box_that_followed_is_missed_until_it_is_back_or_forgotten() -> None:
    async def scenario(world: World) -> None:
        await world.boxes.apply(routing())
        async with world.box("north"), world.box("south"):
            await until(lambda: len(world.announcer.reports.get("shop", ())) == 2)
            assert await unheard(world) == ()
        await until(lambda: set(world.announcer.lost("shop")) == {"north", "south"})
        async with world.box("south"):
            await until(lambda: set(world.announcer.lost("shop")) == {"north"})
            (words,) = await unheard(world)
            assert "box north is not heard of" in words
            assert "box forget north" in words
            await world.announcer.forget("shop", "north")
            assert await unheard(world) == ()
        anew = Announcer(FakeRegistry(world.house), world.clock, "one")
        async with running(anew.run()):  # a controller that begins anew misses it, too
            await anew.publish(routing())
            await until(lambda: set(anew.lost("shop")) == {"south"})

    play(scenario, inner=True)


def test_a_box_that_was_forgotten_too_early_is_heard_of_and_missed_again() -> None:
    async def scenario(world: World) -> None:
        await world.boxes.apply(routing())
        async with world.box("north"):
            await until(lambda: "north" in world.announcer.marks.get("shop", {}))
            await world.announcer.forget("shop", "north")
            await world.boxes.apply(routing(BLUE))
            await until(lambda: "north" in world.announcer.marks.get("shop", {}))
        await until(lambda: set(world.announcer.lost("shop")) == {"north"})

    play(scenario, inner=True)


def test_what_boxes_carry_is_not_known_before_the_registry_was_read() -> None:
    async def scenario(world: World) -> None:
        world.house.silent = True
        await world.boxes.apply(routing())
        assert "not known yet" in (await unheard(world))[0]
        world.house.silent = False
        world.house.changed()

        async def heard() -> bool:
            return await unheard(world) == ()

        await until(heard)

    play(scenario, inner=True)


async def unheard(world: World) -> tuple[str, ...]:
    return (await world.boxes.observe([BLUE, GREEN])).unheard


def test_a_box_that_looked_before_a_change_does_not_report_it_as_carried_out() -> None:
    async def scenario(world: World) -> None:
        await world.boxes.apply(routing())
        async with world.box("north") as balancer:
            await until(lambda: world.reported("north") == {GREEN: 100})
            balancer.hang("observe", after=True)
            balancer.emit(BalancerEvent(pool=GREEN))
            change = asyncio.ensure_future(world.boxes.apply(routing(BLUE)))
            await until(carries(balancer, BLUE))
            balancer.release()
            await change
            assert world.reported("north") == {BLUE: 100}

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


def test_a_stack_that_is_taken_down_is_taken_down_everywhere() -> None:
    async def scenario(world: World) -> None:
        async with world.box("north") as balancer:
            await world.boxes.apply(routing())
            await until(carries(balancer, GREEN))
            await world.boxes.apply(Routing())
            await until(lambda: not balancer.routing.listeners)
            assert world.house.announced["shop"] == {}

    play(scenario)
