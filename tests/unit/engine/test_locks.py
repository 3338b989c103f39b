"""Somebody locks a service or a stack: what is kept out, what never is, and who may lift it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.domain.errors import UserError
from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.rollout import Phase
from bluegreen.domain.spec import Link
from bluegreen.engine.commands import (
    instances,
    locks,
    lookup,
    maintenance,
    releases,
    services,
    stacks,
    steering,
    traffic,
)
from bluegreen.engine.engine import Engine
from bluegreen.ports.journal import Query
from bluegreen.testing.virtual_time import run
from tests.unit.engine.play import play
from tests.unit.engine.world import POLICY, World, bring_up, finished, managed, reaches, service, two_colors

WARM = replace(POLICY, bake=60.0)

Do = Callable[[Engine], Awaitable[Any]]


def changed(engine: Engine, **settings: object) -> Awaitable[Any]:
    spec = engine.ledger.spec("shop")
    (web,) = (one for one in spec.services if one.name == "web")
    others = tuple(one for one in spec.services if one.name != "web")
    return stacks.up(engine, replace(spec, services=(*others, replace(web, **settings))))  # type: ignore[arg-type]


BEGINS: dict[str, Do] = {
    "deploy": lambda e: releases.deploy(e, "web", image="web:3"),
    "redeploy": lambda e: releases.deploy(e, "web"),
    "up": lambda e: changed(e, image="web:3"),
    "up of its grace": lambda e: changed(e, stop_grace=2.0),
    "image": lambda e: services.set_image(e, "web", "web:3"),
    "environment": lambda e: services.set_environment(e, "web", put={"A": "b"}),
    "links": lambda e: traffic.set_links(e, "lb", [Link(service="web", alias="web")]),
    "stop": lambda e: services.stop(e, "web", force=True),
    "terminate": lambda e: services.terminate(e, "web", force=True),
    "down": lambda e: stacks.down(e, "shop"),
}

STAYS_POSSIBLE: dict[str, Do] = {
    "rollback": lambda e: releases.rollback(e, "web"),
    "scale": lambda e: services.scale(e, "web", 2),
    "drain": lambda e: instances.drain(e, "shop-web-r2-1", force=True),
    "restart": lambda e: instances.restart(e, "shop-web-r2-1", force=True),
    "maintenance": lambda e: maintenance.begin(e, "lb"),
    "up of what is there": lambda e: stacks.up(e, e.ledger.spec("shop")),
    "abort": lambda e: abort(e),
    "pause": lambda e: paused(e),
}


async def abort(engine: Engine) -> None:
    await releases.abort(engine, (await lookup.rollout_of(engine, "web")).id)


async def paused(engine: Engine) -> None:
    await steering.pause(engine, await lookup.rollout_of(engine, "web"))


def shop(policy: RolloutPolicy = WARM) -> Any:
    return managed(service("api", "api:1"), rollout=policy)


async def second(engine: Engine) -> None:
    """Have a second release of web live, and the way back warm."""
    rollout = await releases.deploy(engine, "web", image="web:2")
    await reaches(engine, rollout, lambda r: r.settled)


@pytest.mark.parametrize("whole", [False, True], ids=["service", "stack"])
@pytest.mark.parametrize("verb", BEGINS)
def test_what_begins_is_refused_and_changes_nothing(verb: str, whole: bool) -> None:
    async def story(world: World, engine: Engine) -> None:
        await second(engine)
        given = await locks.lock(engine, "shop", "" if whole else "web", who="ana", why="the sale")
        before = (engine.ledger.spec("shop"), dict(engine.ledger.services), engine.rollouts())
        with pytest.raises(UserError, match="the sale") as refused:
            await BEGINS[verb](engine)
        assert refused.value.code == "locked"
        assert (engine.ledger.spec("shop"), dict(engine.ledger.services), engine.rollouts()) == before
        await locks.unlock(engine, given.stack, given.service)
        await BEGINS[verb](engine)
        if verb == "down":
            world.watchman.gaps.clear()  # that nobody is served any more is what was asked for

    play(story, shop())


@pytest.mark.parametrize("whole", [False, True], ids=["service", "stack"])
@pytest.mark.parametrize("verb", STAYS_POSSIBLE)
def test_the_way_back_and_what_an_incident_takes_stay_possible(verb: str, whole: bool) -> None:
    async def story(world: World, engine: Engine) -> None:
        await second(engine)
        given = await locks.lock(engine, "shop", "" if whole else "web", who="ana", why="the sale")
        await STAYS_POSSIBLE[verb](engine)
        assert locks.listed(engine) == (given,)

    play(story, shop())


def test_a_service_that_is_not_locked_goes_on_and_a_new_one_may_come() -> None:
    async def story(world: World, engine: Engine) -> None:
        await locks.lock(engine, "shop", "web", who="ana", why="the sale")
        spec = engine.ledger.spec("shop")
        rollout = await releases.deploy(engine, "api", image="api:2")
        assert (await finished(world, rollout)).phase is Phase.DONE
        spec = engine.ledger.spec("shop")
        await bring_up(world, engine, replace(spec, services=(*spec.services, service("mail"))))
        assert [lock.service for lock in locks.listed(engine)] == ["web"]

    play(story, shop(POLICY))


def test_a_switch_is_refused_by_a_lock_of_either_end_and_the_way_back_is_not() -> None:
    async def story(world: World, engine: Engine) -> None:
        for end in ("webx-green", "webx-blue"):
            await locks.lock(engine, "shop", end, who="ana", why="the sale")
            with pytest.raises(UserError, match=f"{end}.shop is locked"):
                await traffic.switch(engine, "lbx", "webx-blue")
            await locks.unlock(engine, "shop", end)
        moved = await traffic.switch(engine, "lbx", "webx-blue")
        assert moved is not None
        await finished(world, moved)
        await locks.lock(engine, "shop", who="ana", why="the sale")
        back = await traffic.rollback(engine, "lbx")
        assert back is not None
        await finished(world, back)
        with pytest.raises(UserError, match="locked"):
            await traffic.switch(engine, "lbx", "webx-blue")

    play(story, two_colors())


@pytest.mark.parametrize("whole", [False, True], ids=["service", "stack"])
def test_what_was_wanted_before_the_lock_is_not_released_by_up_either(whole: bool) -> None:
    async def story(world: World, engine: Engine) -> None:
        await services.set_image(engine, "web", "web:2")
        await locks.lock(engine, "shop", "" if whole else "web", who="ana", why="the sale")
        with pytest.raises(UserError, match="locked"):
            await stacks.up(engine, engine.ledger.spec("shop"))
        assert engine.active(("shop", "web")) is None

    play(story, shop(POLICY))


def test_a_rollout_under_way_goes_on_and_takes_no_lock_away() -> None:
    async def story(world: World, engine: Engine) -> None:
        rollout = await releases.deploy(engine, "web", image="web:2")
        given = await locks.lock(engine, "shop", "web", who="ana", why="the sale")
        assert (await finished(world, rollout)).phase is Phase.DONE
        assert engine.ledger.spec("shop").service("web") != shop().service("web")
        assert locks.listed(engine, "shop") == (given,)

    play(story, shop(POLICY))


def test_it_outlives_the_controller_and_ends_by_itself() -> None:
    async def main() -> None:
        world = World()
        async with world.controller() as engine:
            await bring_up(world, engine, shop(POLICY))
            given = await locks.lock(engine, "shop", "web", who="ana", why="the sale", seconds=60.0)
        async with world.controller() as engine:
            assert locks.listed(engine) == (given,)
            with pytest.raises(UserError, match="the sale"):
                await releases.deploy(engine, "web")
            await asyncio.sleep(60.0)
            assert locks.listed(engine) == ()
            await finished(world, await releases.deploy(engine, "web"))
            with pytest.raises(UserError) as refused:
                await locks.unlock(engine, "shop", "web")
            assert refused.value.code == "not_locked"

    run(main())


def test_nobody_takes_a_lock_over_by_giving_one_and_anybody_lifts_it() -> None:
    async def story(world: World, engine: Engine) -> None:
        await locks.lock(engine, "shop", "web", who="ana", why="the sale", seconds=10.0)
        with pytest.raises(UserError) as refused:
            await locks.lock(engine, "shop", "web", who="bob", why="new disks")
        assert (refused.value.code, refused.value.evidence[0]) == ("locked", ("by", "ana"))
        longer = await locks.lock(engine, "shop", "web", who="ana", why="the sale goes on")
        whole = await locks.lock(engine, "shop", who="bob", why="new disks")
        assert locks.listed(engine) == (longer, whole)
        assert locks.covering(engine, "shop", "web") == longer
        assert locks.covering(engine, "shop", "api") == whole
        assert await locks.unlock(engine, "shop", "web") == longer
        with pytest.raises(UserError) as unlocked:
            await locks.unlock(engine, "shop", "web")
        assert unlocked.value.hint == "What is: shop."
        told = [(e.kind, e.message) for e in await world.journal.events(Query(stack="shop"))]
        assert told[-2:] == [
            ("lock.set", "the stack shop is locked by bob: new disks"),
            ("lock.lifted", "web.shop is unlocked"),
        ]

    play(story, shop())


def test_a_lock_needs_a_reason_and_something_to_lock() -> None:
    async def story(world: World, engine: Engine) -> None:
        with pytest.raises(UserError) as refused:
            await locks.lock(engine, "shop", "web", who="ana", why="  ")
        assert refused.value.code == "no_reason"
        with pytest.raises(UserError) as refused:
            await locks.lock(engine, "shoop", who="ana", why="the sale")
        assert refused.value.hint == "Did you mean shop?"

    play(story, shop())
