"""What goes wrong by itself: silence, deaths, sickness, a full disk, a second controller."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary, UserError
from bluegreen.domain.naming import PoolId
from bluegreen.domain.rollout import Phase, Rollout
from bluegreen.domain.spec import RestartPolicy
from bluegreen.engine.commands import releases, traffic
from bluegreen.engine.engine import Engine
from bluegreen.ports.journal import Query
from bluegreen.testing.virtual_time import run
from tests.unit.engine.play import play
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


async def deploy(engine: Engine) -> Rollout:
    return await releases.deploy(engine, "web", image="web:2")


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


def test_a_balancer_that_tells_of_a_change_late_holds_up_nobody_else() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.balancer.outdated = await world.balancer.observe()
        rollout = await traffic.switch(engine, "lbx", "webx-blue")
        assert rollout is not None
        await until(lambda: set(world.weights("lbx")) == {PoolId("shop.webx-blue.blue")})
        await asyncio.sleep(2)  # the loop rests between two looks: time passes
        assert (await world.rollout(rollout.id)).phase is Phase.SHIFTING
        world.balancer.outdated = None
        assert (await finished(world, rollout)).phase is Phase.DONE

    play(story, two_colors())


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


def test_the_live_color_is_looked_after_while_an_image_takes_long() -> None:
    """One of two live instances disappears during a pull of minutes; it is back long before its end."""

    async def story(world: World, engine: Engine) -> None:
        world.runtime.hang("prepare")
        rollout = await deploy(engine)
        await asyncio.sleep(5)
        before = world.runtime.instances["shop-web-r1-1"].incarnation
        world.runtime.vanish("shop-web-r1-1")

        def is_back() -> bool:
            found = {i.name: i.incarnation for i in engine.inventory.instances(("shop", "web"))}
            serving = {server.name for server in engine.switchboard.servers(BLUE)}
            return found.get("shop-web-r1-1", before) != before and len(serving) == 2

        await until(is_back)
        known = engine.active(("shop", "web"))
        assert known is not None
        assert known.phase is Phase.PREPARING
        await releases.abort(engine, rollout.id)
        assert (await finished(world, rollout)).phase is Phase.ABORTED

    play(story, managed(replicas=2))


def test_a_deploy_into_a_silent_runtime_is_recorded_and_the_silence_told() -> None:
    async def story(world: World, engine: Engine) -> None:
        await asyncio.sleep(1)  # what was seen at the start is no longer fresh
        world.runtime.freeze()
        rollout = await deploy(engine)
        assert await world.journal.rollouts(Query(rollout=rollout.id))
        told = [event.message for event in await world.journal.events(Query(rollout=rollout.id))]
        assert any("the runtime did not say" in message for message in told), told
        world.runtime.thaw()
        assert (await finished(world, rollout)).phase is Phase.DONE

    play(story)


@pytest.mark.parametrize(("failures", "phase"), [(3, Phase.DONE), (100, Phase.ABORTED)])
def test_an_image_that_cannot_be_had_for_now_is_asked_for_again_but_not_for_ever(
    failures: int, phase: Phase
) -> None:
    async def story(world: World, engine: Engine) -> None:
        away = Temporary("the registry does not answer", code="registry_unreachable", hint="Log in.")
        for nth in range(1, failures + 1):
            world.runtime.fail("prepare", away, nth=nth)
        ended = await finished(world, await deploy(engine))
        assert ended.phase is phase
        if phase is Phase.ABORTED:
            assert ended.reason is not None
            assert (ended.reason.code, ended.reason.hint) == ("registry_unreachable", "Log in.")
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
        story,
        managed(
            rollout=replace(
                POLICY, start_deadline=60.0, shares=(50, 100), bake=60.0 if phase is Phase.BAKING else 1.0
            )
        ),
    )


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5, 6])
def test_a_write_that_hangs_is_looked_at_before_the_next(nth: int, after: bool) -> None:
    async def story(world: World, engine: Engine) -> None:
        world.journal.hang("record", nth=nth + 1, after=after)  # the first is the definition's
        with contextlib.suppress(BluegreenError):
            await deploy(engine)
        with contextlib.suppress(BluegreenError):  # whoever was told that it failed asks again
            await deploy(engine)
        await until(lambda: world.serves() == {("web", 2)})
        begun = [r for r in await world.journal.rollouts(Query(service="web")) if r.source is not None]
        for rollout in begun:
            assert (await finished(world, rollout)).phase is Phase.DONE
        assert world.serves() == {("web", 2)} or len(begun) > 1

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
