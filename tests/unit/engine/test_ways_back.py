"""Ways back: rollback, abort, and a second deploy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.domain.errors import UserError
from bluegreen.domain.rollout import Kind, Phase
from bluegreen.engine import narrate
from bluegreen.engine.commands import releases, traffic
from bluegreen.engine.engine import Engine
from tests.unit.engine.play import play
from tests.unit.engine.world import (
    POLICY,
    World,
    finished,
    managed,
    reaches,
    until,
)

LONG_BAKE = replace(POLICY, bake=600.0)


def test_rollback_in_the_bake_is_one_switch() -> None:
    async def story(world: World, engine: Engine) -> None:
        rollout = await releases.deploy(engine, "web", image="web:2")
        await reaches(engine, rollout, lambda r: r.settled)
        starts = [c for c in world.runtime.calls if c[0] == "start"]
        back = await releases.rollback(engine, "web")
        assert back.id == rollout.id
        ended = await finished(world, back)
        assert (ended.phase, ended.reason) == (Phase.REVERTED, None)
        assert narrate.outcome(ended)[0] == 0
        assert world.serves() == {("web", 1)}
        assert [c for c in world.runtime.calls if c[0] == "start"] == starts
        assert [i.release for i in world.instances("web")] == [1]

    play(story, managed(rollout=LONG_BAKE))


def test_rollback_after_the_bake_deploys_the_former_release() -> None:
    async def story(world: World, engine: Engine) -> None:
        await finished(world, await releases.deploy(engine, "web", image="web:2"))
        back = await finished(world, await releases.rollback(engine, "web"))
        assert (back.kind, back.release, back.phase) == (Kind.ROLLBACK, 1, Phase.DONE)
        assert world.serves() == {("web", 1)}
        assert world.instances("web")[0].image == "web:1"

    play(story)


def test_rollback_to_a_release_by_number() -> None:
    async def story(world: World, engine: Engine) -> None:
        for number in (2, 3):
            await finished(world, await releases.deploy(engine, "web", image=f"web:{number}"))
        with pytest.raises(UserError, match="is live already"):
            await releases.rollback(engine, "web", to=3)
        with pytest.raises(UserError, match="cannot go back to release 9"):
            await releases.rollback(engine, "web", to=9)
        await finished(world, await releases.rollback(engine, "web", to=1))
        assert world.serves() == {("web", 1)}

    play(story)


def test_rollback_without_a_past_says_so() -> None:
    async def story(world: World, engine: Engine) -> None:
        for refused in (releases.rollback(engine, "web"), traffic.rollback(engine, "lb")):
            with pytest.raises(UserError) as error:
                await refused
            assert error.value.code == "no_way_back"

    play(story)


def test_rollback_to_a_warm_color_that_died_is_refused_and_the_live_one_stays() -> None:
    async def story(world: World, engine: Engine) -> None:
        rollout = await releases.deploy(engine, "web", image="web:2")
        await reaches(engine, rollout, lambda r: r.settled)
        world.runtime.crash("shop-web-r1-1")
        await until(lambda: not engine.inventory.instances(("shop", "web"))[0].running)
        with pytest.raises(UserError, match="no instance that serves"):
            await releases.rollback(engine, "web")
        assert world.serves() == {("web", 2)}

    play(story, managed(rollout=LONG_BAKE))


@pytest.mark.parametrize(
    "phase", [Phase.PREPARING, Phase.STARTING, Phase.PROVING, Phase.SHIFTING, Phase.BAKING]
)
def test_abort_in_each_phase_leaves_the_old_release_live(phase: Phase) -> None:
    async def story(world: World, engine: Engine) -> None:
        if phase is Phase.PREPARING:
            for nth in range(1, 9):
                world.runtime.hang("prepare", nth=nth)
        if phase is Phase.STARTING:
            world.runtime.hang("start")
        if phase is Phase.PROVING:
            world.sick.add("web@2")
        rollout = await releases.deploy(engine, "web", image="web:2")
        await reaches(engine, rollout, lambda r: r.phase is phase)
        await releases.abort(engine, rollout.id)
        ended = await finished(world, rollout)
        early = phase in {Phase.PREPARING, Phase.STARTING, Phase.PROVING}
        assert ended.phase is (Phase.ABORTED if early else Phase.REVERTED)
        assert ended.reason is not None
        assert ended.reason.code == "aborted"
        tries = sum(method == "prepare" for method, _ in world.runtime.calls)
        assert tries == 2  # one for each release: an abort ends what hangs, it does not try again
        assert world.serves() == {("web", 1)}
        await until(lambda: [i.release for i in world.instances("web")] == [1])
        with pytest.raises(UserError, match="has ended"):
            await releases.abort(engine, rollout.id)

    play(
        story,
        managed(
            rollout=replace(LONG_BAKE, shares=(50, 100), step_pause=60.0 if phase is Phase.SHIFTING else 0.1)
        ),
    )


def test_a_second_deploy_is_refused_while_one_is_under_way() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.sick.add("web@2")
        rollout = await releases.deploy(engine, "web", image="web:2")
        with pytest.raises(UserError) as refused:
            await releases.deploy(engine, "web", image="web:3")
        assert refused.value.code == "rollout_in_progress"
        assert dict(refused.value.evidence)["rollout"] == rollout.id
        world.sick.clear()
        assert (await finished(world, rollout)).phase is Phase.DONE
        assert engine.ledger.spec("shop").service("web").image == "web:2"  # type: ignore[union-attr]

    play(story)


def test_a_deploy_ends_the_bake_of_the_one_before() -> None:
    async def story(world: World, engine: Engine) -> None:
        one = await releases.deploy(engine, "web", image="web:2")
        await reaches(engine, one, lambda r: r.settled)
        two = await releases.deploy(engine, "web", image="web:3")
        assert (await finished(world, one)).phase is Phase.DONE
        await reaches(engine, two, lambda r: r.settled)
        assert world.serves() == {("web", 3)}
        assert {i.release for i in world.instances("web")} == {2, 3}

    play(story, managed(rollout=LONG_BAKE))
