"""A registry that is lost, forgets, flaps or is written by others: what was last good stays, in memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bluegreen.domain.errors import Permanent, Temporary
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.publication import STRUCTURE, Share
from bluegreen.domain.routing import (
    Listener,
    Pool,
    Route,
)
from bluegreen.engine.announcer import Announcer
from bluegreen.ports.codec import encode
from bluegreen.testing.background import running
from bluegreen.testing.fake_keepsake import FakeKeepsake
from bluegreen.testing.fake_registry import FakeRegistry
from bluegreen.testing.waiting import until
from tests.unit.engine.boxes_world import BLUE, GREEN, WEB, World, carries, play, routing


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


def test_a_controller_that_looked_before_any_box_reported_tells_a_restored_backup_over() -> None:
    async def scenario(world: World) -> None:
        note = FakeKeepsake()
        async with world.box("north", note) as balancer:
            await world.boxes.apply(routing(GREEN))
            await until(carries(balancer, GREEN))
        backup = Share(revision=1, weights={BLUE: 100}, owner="one")
        await FakeRegistry(world.house).write("shop", "routes/web", encode(backup), None)
        successor = Announcer(FakeRegistry(world.house), world.clock, "one")
        async with running(successor.run()):
            await successor.publish(routing(BLUE))  # it takes the backup for told: nobody says otherwise
            async with world.box("north", note) as balancer:
                await until(carries(balancer, GREEN))
                await until(carries(balancer, BLUE))

    play(scenario, supervised=False)
