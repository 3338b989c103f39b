"""What goes wrong by itself: silence, deaths, sickness, a full disk, a second controller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary, UserError
from bluegreen.domain.naming import PoolId
from bluegreen.domain.rollout import Phase, Rollout
from bluegreen.domain.routing import ServerHealth
from bluegreen.domain.spec import RestartPolicy
from bluegreen.domain.stack import StackSpec
from bluegreen.engine import narrate
from bluegreen.engine.commands import releases, stacks
from bluegreen.engine.engine import Engine
from bluegreen.testing.fake_runtime import Behaviour
from bluegreen.testing.virtual_time import run
from tests.unit.engine.world import (
    POLICY,
    World,
    bring_up,
    finished,
    managed,
    reaches,
    two_colors,
    until,
)

BLUE, GREEN = PoolId("shop.web.blue"), PoolId("shop.web.green")
WARM = replace(POLICY, bake=30.0, drain=1.0)
DISK_FULL = Temporary("the disk is full", code="disk_full")


def play(story: Callable[[World, Engine], Awaitable[None]], stack: StackSpec | None = None) -> None:
    async def main() -> None:
        world = World()
        async with world.controller() as engine:
            await bring_up(world, engine, stack or managed())
            await story(world, engine)
        assert not world.watchman.gaps, world.watchman.gaps[:3]

    run(main())


async def deploy(engine: Engine) -> Rollout:
    return await releases.deploy(engine, "web", image="web:2")


async def both_sick(world: World) -> None:
    """First the old color, then the new one: there is nowhere to go."""
    world.sick.add("web@1")
    await asyncio.sleep(1.5)
    world.sick.add("web@2")


async def fails(world: World, engine: Engine, code: str) -> Rollout:
    """Deploy; require that it ends before any traffic moved, with this reason, and leaves nothing."""
    ended = await finished(world, await deploy(engine))
    assert ended.phase is Phase.ABORTED
    assert ended.reason is not None
    assert ended.reason.code == code
    assert ended.reason.message
    assert ended.reason.hint
    assert narrate.outcome(ended)[0] == 1
    assert world.serves() == {("web", 1)}
    await until(lambda: {i.release for i in world.instances("web")} == {1})
    return ended


# -- a release that is no good --------------------------------------------------------------------


def test_a_release_that_never_gets_well_is_stopped_with_the_evidence() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.sick.add("web@2")
        world.runtime.behaves = lambda _spec: Behaviour(says=("listening", "no database"))
        ended = await fails(world, engine, "never_healthy")
        assert ended.reason is not None
        evidence = ended.reason.evidence
        assert ("shop-web-r2-1 log", "no database") in evidence
        assert any(label == "last probe" and "status 500" in text for label, text in evidence)

    play(story)


def test_a_release_that_ends_at_once_is_told_with_its_exit_code() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.runtime.behaves = lambda spec: Behaviour(exits=3 if spec.release == 2 else None)
        ended = await fails(world, engine, "instance_exited")
        assert ended.reason is not None
        assert "exit code 3" in ended.reason.message

    play(story)


def test_a_release_that_keeps_ending_is_a_crash_loop() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.runtime.behaves = lambda spec: Behaviour(exits=1 if spec.release == 2 else None)
        await fails(world, engine, "crash_loop")

    play(story, managed(restart=RestartPolicy.ALWAYS))


@pytest.mark.parametrize("how", ["missing", "impossible", "unreachable"])
def test_what_cannot_be_prepared_starts_nothing(how: str) -> None:
    async def story(world: World, engine: Engine) -> None:
        if how == "missing":
            world.runtime.missing_images.add("web:2")
        else:
            error = UserError if how == "impossible" else Permanent
            world.runtime.fail("prepare", error("no", code="limit_impossible", hint="Less."))
        ended = await finished(world, await deploy(engine))
        assert ended.phase is Phase.ABORTED
        assert ended.reason is not None
        assert ended.reason.code == ("image_missing" if how == "missing" else "limit_impossible")
        assert [i.release for i in world.instances("web")] == [1]

    play(story)


def test_a_registry_that_is_away_for_a_while_only_delays() -> None:
    async def story(world: World, engine: Engine) -> None:
        for nth in range(1, 6):
            world.runtime.fail("prepare", Temporary("away", code="registry_away"), nth=nth)
        assert (await finished(world, await deploy(engine))).phase is Phase.DONE

    play(story)


def test_a_balancer_whose_check_disagrees_gives_no_traffic() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.see_health = lambda: world.balancer.set_health(  # type: ignore[method-assign]
            GREEN, "shop-web-r2-1", ServerHealth.DOWN
        )
        await fails(world, engine, "balancer_check_failed")

    play(story)


def test_instances_that_never_start_meet_the_start_deadline() -> None:
    async def story(world: World, engine: Engine) -> None:
        for nth in range(1, 20):
            world.runtime.fail("start", Temporary("busy", code="busy"), nth=nth)
        await fails(world, engine, "deadline")

    play(story)


def test_the_first_deploy_that_fails_leaves_no_instance_and_no_traffic() -> None:
    async def main() -> None:
        world = World()
        world.sick.add("web@1")
        async with world.controller() as engine:
            outcome = await stacks.up(engine, managed())
            ended = await finished(world, outcome.rollouts[0])
            assert ended.phase is Phase.ABORTED
            assert world.weights() == {}
            assert world.runtime.instances == {}
            world.sick.clear()
            await bring_up(world, engine, managed())
            assert world.serves() == {("web", 2)}

    run(main())


def test_a_failed_dependency_fails_what_needs_it_by_name() -> None:
    async def main() -> None:
        world = World()
        world.runtime.missing_images.add("db:1")
        async with world.controller() as engine:
            outcome = await stacks.up(engine, two_colors())
            reasons = {}
            for rollout in outcome.rollouts:
                ended = await finished(world, rollout)
                assert ended.phase is Phase.ABORTED
                assert ended.reason is not None
                reasons[ended.service] = ended.reason.code
        assert reasons == {
            "db": "image_missing",
            "webx-green": "dependency_failed",
            "webx-blue": "dependency_failed",
        }

    run(main())


# -- after the switch -----------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["sick", "dead", "vanished"])
@pytest.mark.parametrize("phase", [Phase.SHIFTING, Phase.BAKING, Phase.DRAINING])
def test_a_target_that_turns_bad_under_traffic_loses_it_at_once(phase: Phase, way: str) -> None:
    async def story(world: World, engine: Engine) -> None:
        if phase is Phase.DRAINING:
            world.balancer.set_in_flight(BLUE, 3)
        rollout = await deploy(engine)
        await reaches(engine, rollout, lambda r: r.phase is phase)
        if way == "sick":
            world.sick.add("web@2")
        elif way == "dead":
            world.runtime.crash("shop-web-r2-1")
        else:
            world.runtime.vanish("shop-web-r2-1")
        ended = await finished(world, rollout)
        assert ended.phase is Phase.REVERTED
        assert ended.reason is not None
        assert ended.reason.code == "went_bad"
        assert narrate.outcome(ended)[0] == 3
        assert world.serves() == {("web", 1)}

    shares = (50, 100) if phase is Phase.SHIFTING else (100,)
    bake = 0.1 if phase is Phase.DRAINING else 30.0
    play(story, managed(rollout=replace(WARM, shares=shares, bake=bake, drain=5.0)))


def test_a_target_that_turns_sick_while_the_old_color_retires_gets_back_what_is_left() -> None:
    async def story(world: World, engine: Engine) -> None:
        for nth in range(1, 30):
            world.runtime.fail("remove", Temporary("busy", code="busy"), nth=nth)
        rollout = await deploy(engine)
        await reaches(engine, rollout, lambda r: r.phase is Phase.RETIRING)
        await until(lambda: not world.balancer.routing.pools[BLUE].servers)
        world.sick.add("web@2")
        ended = await finished(world, rollout)
        assert ended.phase is Phase.REVERTED
        assert world.serves() == {("web", 1)}

    play(story, managed(replicas=2, rollout=replace(POLICY, bake=0.1)))


def test_when_both_colors_are_sick_the_traffic_stays() -> None:
    async def story(world: World, engine: Engine) -> None:
        rollout = await deploy(engine)
        await reaches(engine, rollout, lambda r: r.settled)
        await both_sick(world)
        await asyncio.sleep(20)
        assert world.weights() == {GREEN: 100}
        world.sick.discard("web@1")
        assert (await finished(world, rollout)).phase is Phase.REVERTED

    play(story, managed(rollout=WARM))


def test_the_old_color_is_not_retired_while_the_new_one_is_not_well() -> None:
    async def story(world: World, engine: Engine) -> None:
        rollout = await deploy(engine)
        await reaches(engine, rollout, lambda r: r.settled)
        await both_sick(world)
        await asyncio.sleep(60)
        assert [i.release for i in world.instances("web")] == [1, 2]
        world.sick.discard("web@2")
        assert (await finished(world, rollout)).phase is Phase.DONE

    play(story, managed(rollout=POLICY))


def test_a_rollback_is_never_rolled_back() -> None:
    async def story(world: World, engine: Engine) -> None:
        await finished(world, await deploy(engine))
        back = await releases.rollback(engine, "web")
        await reaches(engine, back, lambda r: r.settled)
        world.sick.add("web@1")
        await asyncio.sleep(5)
        assert world.weights() == {BLUE: 100}
        world.sick.clear()
        assert (await finished(world, back)).phase is Phase.DONE

    play(story, managed(rollout=replace(POLICY, bake=10.0)))


def test_deploying_works_when_the_live_color_is_dead() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.runtime.crash("shop-web-r1-1")
        assert (await finished(world, await deploy(engine))).phase is Phase.DONE
        assert world.serves() == {("web", 2)}

    play(story)


def test_the_old_color_keeps_its_requests_until_they_end_or_the_deadline() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.balancer.set_in_flight(BLUE, 2)
        rollout = await deploy(engine)
        await reaches(engine, rollout, lambda r: r.phase is Phase.BAKING)
        await asyncio.sleep(3)
        assert not (await world.rollout(rollout.id)).settled
        assert world.instances("web")[0].running
        world.balancer.set_in_flight(BLUE, 0)
        await reaches(engine, rollout, lambda r: r.settled)
        world.balancer.set_in_flight(BLUE, 1)
        assert (await finished(world, rollout)).phase is Phase.DONE  # the drain deadline passed

    play(story, managed(rollout=replace(POLICY, bake=1.0, drain=8.0)))


# -- silence --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "phase", [Phase.PREPARING, Phase.PROVING, Phase.SHIFTING, Phase.BAKING, Phase.REVERTING]
)
def test_a_silent_balancer_holds_the_rollout_and_moves_nothing(phase: Phase) -> None:
    async def story(world: World, engine: Engine) -> None:
        rollout = await deploy(engine)
        await reaches(engine, rollout, lambda r: r.phase in {phase, Phase.BAKING})
        if phase is Phase.REVERTING:
            await releases.abort(engine, rollout.id)
        world.balancer.silent = True
        await asyncio.sleep(0.001)  # what it was just about to do still happens
        before = world.weights()
        await asyncio.sleep(3)
        assert world.weights() == before
        world.balancer.silent = False
        await finished(world, rollout)
        assert len(world.serves()) == 1

    play(story, managed(rollout=replace(POLICY, shares=(50, 100))))


@pytest.mark.parametrize("after", [False, True])
def test_a_balancer_that_hangs_in_the_switch_is_read_back(after: bool) -> None:
    async def story(world: World, engine: Engine) -> None:
        world.balancer.hang("apply", nth=2, after=after)
        ended = await finished(world, await deploy(engine))
        assert ended.phase is Phase.DONE
        assert world.weights() == {GREEN: 100}

    play(story)


def test_a_balancer_that_refuses_the_switch_leaves_the_traffic_where_it_is() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.balancer.fail("apply", Permanent("no", code="balancer_refused", hint="?"), nth=2)
        ended = await finished(world, await deploy(engine))
        assert ended.phase is Phase.REVERTED
        assert ended.reason is not None
        assert ended.reason.code == "balancer_refused"
        assert world.serves() == {("web", 1)}

    play(story)


def test_a_runtime_that_hangs_delays_a_deploy_and_touches_no_traffic() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.runtime.freeze()
        rollout = await deploy(engine)
        await asyncio.sleep(100)
        assert world.serves() == {("web", 1)}
        world.runtime.thaw()
        assert (await finished(world, rollout)).phase in {Phase.DONE, Phase.ABORTED}
        assert len(world.serves()) == 1

    play(story)


@pytest.mark.parametrize("silent", ["runtime", "balancer"])
def test_a_controller_that_starts_into_silence_changes_nothing(silent: str) -> None:
    async def main() -> None:
        world = World()
        async with world.controller() as engine:
            await bring_up(world, engine, managed(replicas=2))
        servers = world.balancer.routing.pools[BLUE].servers
        if silent == "runtime":
            world.runtime.freeze()
        else:
            for nth in range(1, 200):
                world.balancer.fail("observe", Temporary("away", code="balancer_down"), nth=nth)
        async with world.controller() as engine:
            await asyncio.sleep(30)
            assert world.balancer.routing.pools[BLUE].servers == servers
            assert world.serves() == {("web", 1)}
            assert len(world.instances("web")) == 2
            world.runtime.thaw()
            await until(lambda: len(world.serving(BLUE)) == 2)
            assert [i.incarnation for i in world.instances("web")] == ["incarnation-1", "incarnation-2"]
        assert not world.watchman.gaps

    run(main())


def test_a_balancer_that_lost_everything_gets_it_back_from_the_next_controller() -> None:
    async def main() -> None:
        world = World()
        async with world.controller() as engine:
            await bring_up(world, engine, managed())
        world.balancer.lose_state()
        async with world.controller():
            await until(lambda: world.serves() == {("web", 1)})

    run(main())


def test_a_restart_in_the_bake_does_not_revert() -> None:
    async def main() -> None:
        world = World()
        async with world.controller() as engine:
            await bring_up(world, engine, managed(replicas=3, rollout=WARM))
            rollout = await deploy(engine)
            await reaches(engine, rollout, lambda r: r.settled)
        async with world.controller():
            assert (await finished(world, rollout)).phase is Phase.DONE

    run(main())


# -- the journal ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "phase", [Phase.PREPARING, Phase.PROVING, Phase.SHIFTING, Phase.BAKING, Phase.DRAINING]
)
def test_a_full_disk_stops_the_rollout_not_the_traffic(phase: Phase) -> None:
    async def story(world: World, engine: Engine) -> None:
        world.balancer.set_in_flight(BLUE, 1)  # so that no phase is over in the moment it begins
        rollout = await deploy(engine)
        await reaches(engine, rollout, lambda r: r.phase is phase)
        full = True

        def disk(when: str, method: str) -> None:
            if full and (when, method) == ("before", "record"):
                raise DISK_FULL

        world.journal.tap = disk
        await asyncio.sleep(30)
        assert len(world.serves()) >= 1
        full = False
        assert (await finished(world, rollout)).phase is Phase.DONE
        assert world.serves() == {("web", 2)}

    play(
        story, managed(rollout=replace(POLICY, shares=(50, 100), bake=60.0 if phase is Phase.BAKING else 1.0))
    )


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5, 6])
def test_a_write_that_hangs_is_looked_at_before_the_next(nth: int, after: bool) -> None:
    async def story(world: World, engine: Engine) -> None:
        world.journal.hang("record", nth=nth + 1, after=after)  # the first is the command's own
        assert (await finished(world, await deploy(engine))).phase is Phase.DONE
        assert world.serves() == {("web", 2)}

    play(story, managed(rollout=replace(POLICY, start_deadline=60.0)))


def test_a_second_controller_is_refused_and_a_robbed_one_stops() -> None:
    async def rob(world: World) -> None:
        async with world.controller():
            await world.journal.hold("controller", "me", world.clock.now(), 0)
            await world.journal.hold("controller", "somebody else", world.clock.now(), 3600)
            await asyncio.sleep(60)

    async def main() -> None:
        world = World()
        async with world.controller() as engine:
            await bring_up(world, engine, managed())
            with pytest.raises(BluegreenError) as refused:
                async with world.controller(owner="somebody else"):
                    pass
            assert refused.value.code == "lease_held"
        with pytest.raises(BluegreenError) as robbed:
            await rob(world)
        assert robbed.value.code == "lease_held"
        assert world.serves() == {("web", 1)}

    run(main())


# -- deaths at any phase --------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["shop-web-r1-1", "shop-web-r2-1"])
@pytest.mark.parametrize(
    "phase", [Phase.PREPARING, Phase.STARTING, Phase.PROVING, Phase.SHIFTING, Phase.BAKING, Phase.DRAINING]
)
def test_one_of_two_instances_dies_in_any_phase(phase: Phase, who: str) -> None:
    async def story(world: World, engine: Engine) -> None:
        world.balancer.set_in_flight(BLUE, 1)  # so that no phase is over in the moment it begins
        rollout = await deploy(engine)
        await reaches(engine, rollout, lambda r: r.phase is phase)
        if who in world.runtime.instances:
            world.runtime.crash(who)
        ended = await finished(world, rollout)
        assert ended.final
        await until(lambda: len({i.index for i in world.instances("web") if i.running}) == 2)
        assert len(world.serves()) == 1

    play(story, managed(replicas=2, restart=RestartPolicy.ALWAYS, rollout=replace(POLICY, shares=(50, 100))))


def test_a_command_given_twice_at_the_same_moment_counts_once() -> None:
    async def story(world: World, engine: Engine) -> None:
        asked = [releases.deploy(engine, "web", image="web:2") for _ in range(3)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        begun = [o for o in outcomes if isinstance(o, Rollout)]
        refused = [o for o in outcomes if isinstance(o, UserError)]
        assert (len(begun), len(refused)) == (1, 2)
        await reaches(engine, begun[0], lambda r: r.settled)
        backs = await asyncio.gather(
            *(releases.rollback(engine, "web") for _ in range(3)), return_exceptions=True
        )
        assert sum(isinstance(b, Rollout) for b in backs) == 1
        assert (await finished(world, begun[0])).phase is Phase.REVERTED
        assert world.serves() == {("web", 1)}

    play(story, managed(rollout=WARM))
