"""The stories that are told again and again with one call spoiled: what is done, and how it may end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.naming import PoolId
from bluegreen.domain.rollout import Phase, Rollout
from bluegreen.domain.stack import StackSpec
from bluegreen.engine.commands import releases, steering, traffic
from bluegreen.engine.engine import Engine
from bluegreen.ports.journal import Query
from bluegreen.testing.fake_journal import Crash
from tests.unit.engine.tripwire import Tripwire
from tests.unit.engine.world import POLICY, World, bring_up, finished, managed, reaches, two_colors, until

BRIEF = replace(POLICY, bake=0.6, drain=0.5, start_deadline=3.0)
Served = set[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """``before`` is who serves before it, ``after`` who does at its proper end.

    ``halfway`` serves when the controller died before the person's second command.
    """

    name: str
    stack: StackSpec
    act: Callable[[World, Engine], Awaitable[Rollout]]
    prepare: Callable[[World, Engine], Awaitable[object]] | None = None
    before: Served
    after: Served
    halfway: Served = field(default_factory=set)
    route: str = "lb"


async def _deploy(world: World, engine: Engine) -> Rollout:
    return await releases.deploy(engine, "web", image="web:2")


async def _deploy_and_go_back(world: World, engine: Engine) -> Rollout:
    rollout = await releases.deploy(engine, "web", image="web:2")
    await reaches(engine, rollout, lambda r: r.settled)
    return await releases.rollback(engine, "web")


async def _fail(world: World, engine: Engine) -> Rollout:
    world.sick.add("web@2")
    return await releases.deploy(engine, "web", image="web:2")


async def _turn_sick(world: World, engine: Engine) -> Rollout:
    rollout = await releases.deploy(engine, "web", image="web:2")
    await reaches(engine, rollout, lambda r: r.phase is Phase.BAKING)
    world.sick.add("web@2")
    return rollout


async def _hold_and_promote(world: World, engine: Engine) -> Rollout:
    """Pause at the first share for longer than its time, then promote: twice at once each, as people do."""
    rollout = await releases.deploy(engine, "web", image="web:2")
    seen = await reaches(engine, rollout, lambda r: r.phase is Phase.SHIFTING)
    held, _ = await asyncio.gather(*(steering.pause(engine, seen) for _ in range(2)))
    await asyncio.sleep(0.2)
    assert not world.weights().get(PoolId("shop.web.green"), 0) > 20
    good, _ = await asyncio.gather(*(steering.promote(engine, held, skip="shares") for _ in range(2)))
    return good


async def _switch(world: World, engine: Engine) -> Rollout:
    rollout = await traffic.switch(engine, "lbx", "webx-blue")
    assert rollout is not None
    return rollout


async def _deployed(world: World, engine: Engine) -> None:
    await finished(world, await releases.deploy(engine, "web", image="web:2"))


async def _roll_back(world: World, engine: Engine) -> Rollout:
    return await releases.rollback(engine, "web")


ONE, TWO = {("web", 1)}, {("web", 2)}
STORIES = (
    Story(name="deploy", stack=managed(rollout=BRIEF, replicas=2), act=_deploy, before=ONE, after=TWO),
    Story(
        name="canary",
        stack=managed(rollout=replace(BRIEF, shares=(20, 100), step_pause=0.3)),
        act=_deploy,
        before=ONE,
        after=TWO,
    ),
    Story(
        name="held canary",
        stack=managed(rollout=replace(BRIEF, shares=(20, 60), step_pause=0.1, bake=0.1)),
        act=_hold_and_promote,
        before=ONE,
        after=TWO,
    ),
    Story(
        name="failing deploy",
        stack=managed(rollout=replace(BRIEF, start_deadline=0.4)),
        act=_fail,
        before=ONE,
        after=ONE,
    ),
    Story(
        name="sick in the bake",
        stack=managed(rollout=BRIEF),
        act=_turn_sick,
        before=ONE,
        after=ONE,
        halfway=TWO,
    ),
    Story(
        name="rollback in the bake",
        stack=managed(rollout=replace(BRIEF, bake=5.0)),
        act=_deploy_and_go_back,
        before=ONE,
        after=ONE,
        halfway=TWO,
    ),
    Story(
        name="rollback after the bake",
        stack=managed(rollout=BRIEF),
        prepare=_deployed,
        act=_roll_back,
        before=TWO,
        after=ONE,
    ),
    Story(
        name="switch",
        stack=two_colors(rollout=BRIEF),
        act=_switch,
        before={("webx-green", 1)},
        after={("webx-blue", 1)},
        route="lbx",
    ),
)


@dataclass(slots=True)
class Telling:
    """What came of a story. ``begun``: nobody told the person that a command had failed."""

    world: World
    rollout: Rollout | None
    begun: bool = False
    crashed: bool = False


async def tell(story: Story, wire: Tripwire) -> Telling:
    """Play ``story`` with ``wire`` around it; a controller that crashes is followed by another."""
    world = World()
    told = Telling(world, None)
    async with world.controller() as engine:
        await bring_up(world, engine, story.stack)
        if story.prepare is not None:
            await story.prepare(world, engine)
    wire.armed = False
    try:
        async with world.controller(wire) as engine:
            wire.armed = True
            with contextlib.suppress(BluegreenError):  # the person is told, and sees the same as we do
                told.rollout = await story.act(world, engine)
                told.begun = True
            await _settle(world, engine, told.rollout)
            wire.armed = False
    except Crash:
        told.crashed = True
    if told.crashed:
        async with world.controller() as engine:
            await _settle(world, engine, None)
    found = await world.journal.rollouts(Query(stack="shop"))
    told.rollout = found[0]
    return told


async def _settle(world: World, engine: Engine, begun: Rollout | None) -> None:
    """Let what is paused go on; wait until no rollout is under way and exactly what is wanted runs."""
    for rollout in engine.rollouts():
        if rollout.paused:
            await steering.resume(engine, rollout)
    if begun is not None:
        await finished(world, begun)
    for rollout in await world.journal.rollouts(Query(stack="shop")):
        await finished(world, rollout)
    wanted = {
        (record.name, number, index)
        for record in (await world.journal.load()).services
        for number in record.releases.values()
        for index in range(1, record.replicas + 1)
    }
    await until(
        lambda: (
            {(i.service, i.release, i.index) for i in world.runtime.instances.values() if i.running} == wanted
        )
    )
