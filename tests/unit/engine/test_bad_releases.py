"""A release that is no good never gets the traffic, or loses it at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.domain.errors import Permanent, Temporary, UserError
from bluegreen.domain.naming import PoolId
from bluegreen.domain.rollout import Phase, Rollout
from bluegreen.domain.routing import ServerHealth
from bluegreen.domain.spec import RestartPolicy
from bluegreen.engine import narrate
from bluegreen.engine.commands import releases, stacks
from bluegreen.engine.engine import Engine
from bluegreen.testing.fake_runtime import Behaviour
from bluegreen.testing.virtual_time import run
from tests.unit.engine.play import play
from tests.unit.engine.world import (
    CHECK,
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

BLUE, GREEN = PoolId("shop.web.blue"), PoolId("shop.web.green")
WARM = replace(POLICY, bake=30.0, drain=1.0)


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


def test_a_dependency_that_died_long_ago_is_named_when_the_release_does_not_get_well() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.runtime.crash("shop-db-r1-1")
        world.sick.add("web@2")
        ended = await fails(world, engine, "never_healthy")
        assert ended.reason is not None
        assert ("db", "shop-db-r1-1 exited") in ended.reason.evidence

    play(story, managed(service("db"), depends_on=("db",)))


def test_a_dependency_that_is_down_does_not_keep_out_a_release_that_is_well() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.runtime.crash("shop-db-r1-1")
        assert (await finished(world, await deploy(engine))).phase is Phase.DONE

    play(story, managed(service("db"), depends_on=("db",)))


def test_a_release_may_take_its_whole_start_period() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.sick.add("web@2")
        rollout = await deploy(engine)
        await asyncio.sleep(2 * POLICY.start_deadline)
        world.sick.clear()
        assert (await finished(world, rollout)).phase is Phase.DONE

    play(story, managed(check=replace(CHECK, start_period=60.0)))


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


@pytest.mark.parametrize("phase", [Phase.BAKING, Phase.DRAINING])
def test_a_target_that_died_and_came_back_loses_its_traffic_before_it_may_die_again(phase: Phase) -> None:
    async def story(world: World, engine: Engine) -> None:
        if phase is Phase.DRAINING:
            world.balancer.set_in_flight(BLUE, 3)
        rollout = await deploy(engine)
        await reaches(engine, rollout, lambda r: r.phase is phase)
        world.prober.freeze()  # it runs again before anybody could ask it
        world.runtime.crash("shop-web-r2-1")
        ended = await finished(world, rollout)
        assert ended.phase is Phase.REVERTED
        assert ended.reason is not None
        assert ended.reason.code == "went_bad"
        assert world.serves() == {("web", 1)}

    bake = 0.1 if phase is Phase.DRAINING else 30.0
    policy = replace(WARM, bake=bake, drain=5.0)
    play(story, managed(restart=RestartPolicy.ALWAYS, rollout=policy))


def test_the_traffic_is_back_before_anybody_reads_the_log_of_the_dead() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.runtime.behaves = lambda _spec: Behaviour(says=("no more handles",))
        read, served = world.runtime.logs, []

        def logs(name: str, **options: Any) -> AsyncIterator[str]:
            served.append(world.weights())
            return read(name, **options)

        world.runtime.logs = logs  # type: ignore[method-assign]
        rollout = await deploy(engine)
        await reaches(engine, rollout, lambda r: r.settled)
        world.runtime.crash("shop-web-r2-1", exit_code=5)
        ended = await finished(world, rollout)
        assert served == [{BLUE: 100}]
        assert ended.reason is not None
        assert ("shop-web-r2-1 log", "no more handles") in ended.reason.evidence
        assert any("exit code 5" in text for _, text in ended.reason.evidence)

    play(story, managed(rollout=WARM))


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
