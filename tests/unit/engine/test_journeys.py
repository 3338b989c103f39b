"""What people do, through the real engine, on a world in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from bluegreen.domain.errors import UserError
from bluegreen.domain.naming import PoolId
from bluegreen.domain.rollout import Kind, Phase
from bluegreen.domain.routing import Admin
from bluegreen.domain.spec import Link
from bluegreen.engine.commands import instances, releases, services, stacks, traffic
from bluegreen.engine.engine import Engine
from tests.unit.engine.play import play
from tests.unit.engine.world import (
    POLICY,
    World,
    bring_up,
    finished,
    managed,
    reaches,
    service,
    two_colors,
    until,
)

LONG_BAKE = replace(POLICY, bake=600.0)
BLUE, GREEN = PoolId("shop.web.blue"), PoolId("shop.web.green")
XGREEN, XBLUE = PoolId("shop.webx-green.green"), PoolId("shop.webx-blue.blue")


def test_a_stack_comes_up_and_its_route_leads_to_the_target() -> None:
    async def story(world: World, engine: Engine) -> None:
        assert world.weights("lbx") == {XGREEN: 100}
        assert world.serves("lbx") == {("webx-green", 1)}
        assert [i.name for i in world.instances("webx-blue")] == ["shop-webx-blue-r1-1"]
        assert world.instances("db")[0].running

    play(story, two_colors())


def test_a_service_may_stand_before_what_it_depends_on() -> None:
    async def story(world: World, engine: Engine) -> None:
        assert world.serves("lbx") == {("webx-green", 1)}

    stack = two_colors()
    play(story, replace(stack, services=tuple(reversed(stack.services))))


def test_up_again_changes_nothing() -> None:
    async def story(world: World, engine: Engine) -> None:
        before = dict(world.runtime.instances)
        outcome = await stacks.up(engine, two_colors())
        assert outcome.rollouts == ()
        assert world.runtime.instances == before

    play(story, two_colors())


def test_up_with_a_new_image_deploys_only_that_service() -> None:
    async def story(world: World, engine: Engine) -> None:
        outcome = await stacks.up(engine, managed(image="web:2"))
        (rollout,) = outcome.rollouts
        assert (await finished(world, rollout)).phase is Phase.DONE
        assert world.serves() == {("web", 2)}

    play(story)


def test_a_deploy_moves_all_traffic_and_retires_the_old_color() -> None:
    async def story(world: World, engine: Engine) -> None:
        ended = await finished(world, await releases.deploy(engine, "web", image="web:2"))
        assert ended.phase is Phase.DONE, ended.reason
        assert world.weights() == {GREEN: 100}
        assert world.serves() == {("web", 2)}
        assert [i.release for i in world.instances("web")] == [2, 2]

    play(story, managed(replicas=2))


def test_deploys_alternate_the_colors() -> None:
    async def story(world: World, engine: Engine) -> None:
        for number in range(2, 6):
            await finished(world, await releases.deploy(engine, "web", image=f"web:{number}"))
            assert world.weights() == {(BLUE if number % 2 else GREEN): 100}
            assert world.serves() == {("web", number)}

    play(story)


def test_a_canary_goes_through_its_shares() -> None:
    async def story(world: World, engine: Engine) -> None:
        rollout = await releases.deploy(engine, "web", image="web:2")
        for share in (10, 40):
            await until(lambda share=share: world.weights() == {BLUE: 100 - share, GREEN: share})  # type: ignore[misc]
        assert (await finished(world, rollout)).phase is Phase.DONE
        assert world.weights() == {GREEN: 100}

    play(story, managed(rollout=replace(POLICY, shares=(10, 40))))


def test_switch_moves_a_route_and_stops_nothing() -> None:
    async def story(world: World, engine: Engine) -> None:
        rollout = await traffic.switch(engine, "lbx", "webx-blue")
        assert rollout is not None
        assert (await finished(world, rollout)).phase is Phase.DONE
        assert world.weights("lbx") == {XBLUE: 100}
        assert world.instances("webx-green")[0].running
        assert engine.ledger.spec("shop").balancers[0].links == (
            Link(service="webx-blue", alias="webx-blue"),
        )
        assert await traffic.switch(engine, "lbx", "webx-blue") is None

    play(story, two_colors())


def test_set_links_changes_the_definition_and_redeploy_moves_the_traffic() -> None:
    async def story(world: World, engine: Engine) -> None:
        await traffic.set_links(engine, "lbx", [Link(service="webx-blue", alias="webx-blue")])
        assert world.weights("lbx") == {XGREEN: 100}
        rollout = await traffic.redeploy(engine, "lbx")
        assert rollout is not None
        assert (await finished(world, rollout)).phase is Phase.DONE
        assert world.weights("lbx") == {XBLUE: 100}
        assert await traffic.redeploy(engine, "lbx") is None

    play(story, two_colors())


def test_a_switch_back_and_forth_by_rollback() -> None:
    async def story(world: World, engine: Engine) -> None:
        moved = await traffic.switch(engine, "lbx", "webx-blue")
        assert moved is not None
        await reaches(engine, moved, lambda r: r.settled)
        assert (await finished(world, await traffic.rollback(engine, "lbx"))).phase is Phase.REVERTED
        assert world.weights("lbx") == {XGREEN: 100}
        again = await traffic.switch(engine, "lbx", "webx-blue")
        assert again is not None
        await finished(world, again)
        late = await finished(world, await traffic.rollback(engine, "lbx"))
        assert (late.kind, late.phase) == (Kind.ROLLBACK, Phase.DONE)
        assert world.weights("lbx") == {XGREEN: 100}

    play(story, two_colors())


def test_switches_in_quick_succession_end_each_others_bake() -> None:
    async def story(world: World, engine: Engine) -> None:
        for turn in range(6):
            target = "webx-green" if turn % 2 else "webx-blue"
            rollout = await traffic.switch(engine, "lbx", target)
            assert rollout is not None
            await reaches(engine, rollout, lambda r: r.settled)
            assert world.serves("lbx") == {(target, 1)}

    play(story, two_colors(rollout=LONG_BAKE))


@pytest.mark.parametrize("target", ["webx-gren", "db", "blue"])
def test_a_switch_to_what_cannot_take_it_is_refused(target: str) -> None:
    async def story(world: World, engine: Engine) -> None:
        with pytest.raises(UserError) as refused:
            await traffic.switch(engine, "lbx", target)
        assert refused.value.code in {"unknown_target", "target_absent"}
        assert refused.value.hint

    play(story, two_colors())


def test_a_switch_to_a_sick_color_moves_nothing() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.sick.add("webx-blue@1")
        rollout = await traffic.switch(engine, "lbx", "webx-blue")
        assert rollout is not None
        ended = await finished(world, rollout)
        assert ended.phase is Phase.ABORTED
        assert ended.reason is not None
        assert ended.reason.code == "target_unhealthy"
        assert world.weights("lbx") == {XGREEN: 100}
        assert world.instances("webx-blue")[0].running

    play(story, two_colors())


def test_a_switch_does_not_overtake_the_deploy_of_its_target() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.sick.add("webx-blue@2")
        rollout = await releases.deploy(engine, "webx-blue", image="webx:2")
        await reaches(engine, rollout, lambda r: r.phase is Phase.PROVING)
        with pytest.raises(UserError) as refused:
            await traffic.switch(engine, "lbx", "webx-blue")
        assert refused.value.code == "rollout_in_progress"
        world.sick.clear()
        assert (await finished(world, rollout)).phase is Phase.DONE

    play(story, two_colors())


def test_scaling_up_admits_what_is_well_and_scaling_down_drains_first() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.sick.add("shop-web-r1-3")
        await services.scale(engine, "web", 3)
        await until(lambda: len(world.serving(BLUE)) == 2)
        assert len(world.balancer.routing.pools[BLUE].servers) == 2
        world.sick.clear()
        await until(lambda: len(world.serving(BLUE)) == 3)
        await services.scale(engine, "web", 1)
        await until(lambda: len(world.instances("web")) == 1)
        assert [s.name for s in world.balancer.routing.pools[BLUE].servers] == ["shop-web-r1-1"]

    play(story)


def test_scaling_down_in_the_bake_of_a_switch_does_not_revert_it() -> None:
    async def story(world: World, engine: Engine) -> None:
        rollout = await traffic.switch(engine, "lbx", "webx-blue")
        assert rollout is not None
        await reaches(engine, rollout, lambda r: r.settled)
        await services.scale(engine, "webx-blue", 1)
        await until(lambda: len(world.instances("webx-blue")) == 1)
        assert (await finished(world, rollout)).phase is Phase.DONE
        assert world.weights("lbx") == {XBLUE: 100}

    play(story, two_colors(replicas=4, rollout=replace(POLICY, bake=30.0)))


@pytest.mark.parametrize(
    "verb",
    [
        lambda e: services.stop(e, "web"),
        lambda e: services.scale(e, "web", 0),
        lambda e: services.terminate(e, "web"),
    ],
)
def test_what_is_live_is_not_stopped(verb: Callable[[Engine], Awaitable[object]]) -> None:
    async def story(world: World, engine: Engine) -> None:
        with pytest.raises(UserError) as refused:
            await verb(engine)
        assert refused.value.code == "live_color"
        assert world.serves() == {("web", 1)}

    play(story)


def test_a_stopped_color_starts_again_where_it_was() -> None:
    async def story(world: World, engine: Engine) -> None:
        await services.stop(engine, "webx-blue")
        await until(lambda: not world.instances("webx-blue")[0].running)
        await until(lambda: not world.balancer.routing.pools[XBLUE].servers)
        with pytest.raises(UserError, match="nothing of it runs"):
            await traffic.switch(engine, "lbx", "webx-blue")
        await services.start(engine, "webx-blue")
        await until(lambda: len(world.serving(XBLUE)) == 1)

    play(story, two_colors())


def test_a_terminated_color_is_gone_and_starts_as_a_new_release() -> None:
    async def story(world: World, engine: Engine) -> None:
        await services.terminate(engine, "webx-blue")
        await until(lambda: not world.instances("webx-blue"))
        assert world.balancer.routing.pools[XBLUE].servers == ()
        rollout = await services.start(engine, "webx-blue")
        assert rollout is not None
        assert (await finished(world, rollout)).release == 2

    play(story, two_colors())


def test_start_at_once_after_terminate_does_not_take_the_old_instances_for_new() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.balancer.set_in_flight(XBLUE, 1)
        world.runtime.hang("remove")
        await services.terminate(engine, "webx-blue")
        rollout = await services.start(engine, "webx-blue")
        assert rollout is not None
        ended = await finished(world, rollout)
        assert ended.phase is Phase.DONE
        assert {i.release for i in world.serving(XBLUE)} == {2}
        await until(lambda: {i.release for i in world.instances("webx-blue")} == {2})

    play(story, two_colors())


def test_drain_and_ready_take_one_instance_out_and_put_it_back() -> None:
    async def story(world: World, engine: Engine) -> None:
        def admins() -> dict[str, Admin]:
            return {s.name: s.admin for s in world.balancer.routing.pools[BLUE].servers}

        await instances.drain(engine, "shop-web-r1-1", why="look at it")
        await until(lambda: admins()["shop-web-r1-1"] is Admin.DRAIN)
        with pytest.raises(UserError, match="last instance"):
            await instances.drain(engine, "shop-web-r1-2")
        await instances.ready(engine, "shop-web-r1-1")
        await until(lambda: set(admins().values()) == {Admin.READY})

    play(story, managed(replicas=2))


def test_an_instance_that_dies_comes_back_by_its_place_and_serves_again() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.runtime.vanish("shop-web-r1-1")
        await until(lambda: len(world.serving(BLUE)) == 2)
        assert world.serving(BLUE)[0].incarnation != world.serving(BLUE)[1].incarnation

    play(story, managed(replicas=2))


def test_down_leaves_nothing() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.watchman.off = True
        await stacks.down(engine, "shop")
        assert world.runtime.instances == {}
        assert not world.balancer.running
        assert not engine.ledger.stacks
        assert not engine.ledger.services

    play(story, two_colors())


def test_down_and_up_again() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.watchman.off = True
        await stacks.down(engine, "shop")
        await bring_up(world, engine, managed())
        assert world.serves() == {("web", 2)}  # release numbers are never used twice

    play(story)


def test_down_takes_services_that_left_the_file_too() -> None:
    async def story(world: World, engine: Engine) -> None:
        await stacks.up(engine, managed())
        assert world.instances("db")[0].running  # kept without --prune
        world.watchman.off = True
        await stacks.down(engine, "shop")
        assert world.runtime.instances == {}

    play(story, managed(service("db")))


def test_prune_removes_what_left_the_file() -> None:
    async def story(world: World, engine: Engine) -> None:
        await stacks.up(engine, managed(), prune=True)
        await until(lambda: not world.instances("db"))

    play(story, managed(service("db")))


def test_what_cannot_run_twice_is_stopped_first_and_comes_back_after_a_failure() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.sick.add("db@2")
        ended = await finished(world, await releases.deploy(engine, "db", image="db:2"))
        assert ended.phase is Phase.ABORTED
        await until(lambda: [(i.release, i.running) for i in world.instances("db")] == [(1, True)])

    play(story, managed(service("db", rollout=replace(POLICY, stop_first=True))))


def test_two_stacks_do_not_disturb_each_other() -> None:
    async def story(world: World, engine: Engine) -> None:
        other = managed()
        other = replace(
            other,
            name="other",
            balancers=(
                replace(other.balancers[0], listeners=(replace(other.balancers[0].listeners[0], port=81),)),
            ),
            routes=(replace(other.routes[0], port=81),),
        )
        await bring_up(world, engine, other)
        await finished(world, await releases.deploy(engine, "web", stack="shop", image="web:2"))
        assert world.serves() == {("web", 2)}
        with pytest.raises(UserError) as refused:
            await releases.deploy(engine, "web", image="web:3")
        assert refused.value.code == "ambiguous"

    play(story)
