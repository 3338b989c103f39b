"""A person pauses, resumes and promotes: in a world in memory, through deaths of the controller."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bluegreen.domain.errors import UserError
from bluegreen.domain.naming import PoolId
from bluegreen.domain.rollout import Phase, Rollout
from bluegreen.engine.commands import lookup, releases, steering
from bluegreen.engine.engine import Engine
from bluegreen.ports.journal import Query
from bluegreen.testing.virtual_time import run
from tests.unit.engine.play import play
from tests.unit.engine.world import POLICY, World, bring_up, finished, managed, reaches, until

BLUE, GREEN = PoolId("shop.web.blue"), PoolId("shop.web.green")
CANARY = replace(POLICY, shares=(10, 50), step_pause=3.0, bake=4.0)
LONG = 8.0
"""Seconds beyond every deadline, pause and bake of the policy."""


async def begun(engine: Engine, *phases: Phase) -> Rollout:
    """Begin a deploy; return it once it is in one of ``phases`` with its share of the traffic."""
    rollout = await releases.deploy(engine, "web", image="web:2")
    return await reaches(engine, rollout, lambda r: r.phase in phases)


async def pause(engine: Engine) -> Rollout:
    return await steering.pause(engine, await lookup.rollout_of(engine, "web"))


async def share(world: World, wanted: int) -> None:
    await until(lambda: world.weights().get(GREEN, 0) == wanted)


def test_a_share_is_held_however_long_and_then_has_the_time_that_was_left() -> None:
    async def story(world: World, engine: Engine) -> None:
        rollout = await begun(engine, Phase.SHIFTING)
        await share(world, 10)
        await asyncio.sleep(2)
        assert (await pause(engine)).paused
        await asyncio.sleep(LONG)
        assert world.weights() == {GREEN: 10, BLUE: 90}
        await steering.resume(engine, await lookup.rollout_of(engine, rollout.id[:6]))
        await asyncio.sleep(0.7)
        assert world.weights() == {GREEN: 10, BLUE: 90}
        await asyncio.sleep(0.7)
        assert world.weights() == {GREEN: 50, BLUE: 50}
        assert (await finished(world, rollout)).phase is Phase.DONE
        kinds = [event.kind for event in await world.journal.events(Query(rollout=rollout.id))]
        told = [kind for kind in kinds if kind in {"rollout.paused", "rollout.resumed", "rollout.step_held"}]
        assert told[:3] == ["rollout.paused", "rollout.resumed", "rollout.step_held"]

    play(story, managed(rollout=CANARY))


def test_it_is_still_paused_under_the_next_controller_which_is_told_to_promote() -> None:
    async def main() -> None:
        world = World()
        async with world.controller() as engine:
            await bring_up(world, engine, managed(rollout=CANARY))
            rollout = await begun(engine, Phase.SHIFTING)
            await share(world, 10)
            await pause(engine)
        async with world.controller() as engine:
            await asyncio.sleep(LONG)
            assert world.weights() == {GREEN: 10, BLUE: 90}
            seen = await lookup.rollout_of(engine, "web")
            assert seen.paused
            promoted = await steering.promote(engine, seen, skip="shares")
            assert not promoted.paused
            await reaches(engine, rollout, lambda r: r.settled)
            assert world.weights() == {GREEN: 100}
            with pytest.raises(UserError) as twice:
                await steering.promote(engine, await lookup.rollout_of(engine, "web"), skip="shares")
            assert twice.value.code == "too_late"
            assert (await world.rollout(rollout.id)).phase is Phase.BAKING
            await steering.promote(engine, await lookup.rollout_of(engine, "web"), skip="bake")
            ended = await finished(world, rollout)
            assert ended.ended_at - ended.shifted_at < CANARY.bake
        assert not world.watchman.gaps

    run(main())


def test_a_new_release_is_proved_and_waits_for_a_person() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.sick.add("web@2")
        await begun(engine, Phase.PROVING)
        await pause(engine)
        await asyncio.sleep(LONG)  # far beyond its deadline
        assert (await lookup.rollout_of(engine, "web")).phase is Phase.PROVING
        world.sick.clear()
        await asyncio.sleep(LONG)
        held = await lookup.rollout_of(engine, "web")
        assert (held.phase, world.weights()) == (Phase.PROVING, {BLUE: 100})
        await steering.promote(engine, held)
        await reaches(engine, held, lambda r: r.settled)
        assert world.weights() == {GREEN: 100}

    play(story, managed(rollout=CANARY))


@pytest.mark.parametrize("phase", [Phase.SHIFTING, Phase.BAKING])
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_paused_rollout_goes_back_at_once(phase: Phase, by_hand: bool) -> None:
    async def story(world: World, engine: Engine) -> None:
        rollout = await begun(engine, phase)
        await share(world, rollout.share)
        await pause(engine)
        await asyncio.sleep(LONG)
        if by_hand:
            await releases.abort(engine, rollout.id)
        else:
            world.sick.add("web@2")
        ended = await finished(world, rollout)
        assert (ended.phase, ended.paused_at) == (Phase.REVERTED, 0.0)
        assert world.serves() == {("web", 1)}

    shares = (10, 50) if phase is Phase.SHIFTING else (100,)
    play(story, managed(rollout=replace(CANARY, shares=shares)))


def test_the_old_color_is_kept_while_the_bake_is_paused_also_from_a_new_deploy() -> None:
    async def story(world: World, engine: Engine) -> None:
        rollout = await begun(engine, Phase.BAKING)
        await reaches(engine, rollout, lambda r: r.settled)
        await pause(engine)
        await asyncio.sleep(LONG)
        assert {i.release for i in world.instances("web")} == {1, 2}
        with pytest.raises(UserError) as refused:
            await releases.deploy(engine, "web", image="web:3")
        assert refused.value.code == "rollout_in_progress"
        assert f"bluegreen resume {rollout.id}" in refused.value.hint
        await releases.rollback(engine, "web")
        assert (await finished(world, rollout)).phase is Phase.REVERTED
        assert world.serves() == {("web", 1)}

    play(story, managed(rollout=replace(CANARY, shares=(100,))))


def test_said_twice_it_is_no_error_and_no_second_event() -> None:
    async def story(world: World, engine: Engine) -> None:
        rollout = await begun(engine, Phase.SHIFTING)
        one, two = await asyncio.gather(pause(engine), pause(engine))
        three = await pause(engine)
        assert one.paused_at == two.paused_at == three.paused_at > 0
        told = [e.kind for e in await world.journal.events(Query(rollout=rollout.id))]
        assert told.count("rollout.paused") == 1
        first = await steering.resume(engine, three)
        again = await steering.resume(engine, three)
        assert (first.version, first.paused) == (again.version, False)

    play(story, managed(rollout=CANARY))


def test_what_is_too_late_is_refused() -> None:
    async def story(world: World, engine: Engine) -> None:
        rollout = await begun(engine, Phase.BAKING)
        await releases.abort(engine, rollout.id)
        await reaches(engine, rollout, lambda r: r.phase is Phase.REVERTING or r.final)
        for say in (steering.pause, steering.resume, steering.promote):
            with pytest.raises(UserError) as refused:
                await say(engine, rollout)  # what the person saw then
            assert refused.value.code == "too_late"
        ended = await finished(world, rollout)
        with pytest.raises(UserError, match="has ended"):
            await steering.pause(engine, ended)
        with pytest.raises(UserError, match="no rollout of web is under way"):
            await lookup.rollout_of(engine, "web")
        later = await begun(engine, Phase.BAKING)
        with pytest.raises(UserError, match=f"rollout {later.id} began"):
            await steering.pause(engine, rollout)

    play(story, managed(rollout=replace(CANARY, shares=(100,))))
