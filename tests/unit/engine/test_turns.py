"""A command that had to wait for another one acts on what that one left, not on what it saw before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.domain.errors import UserError
from bluegreen.domain.spec import Link
from bluegreen.domain.stack import StackSpec
from bluegreen.engine.commands import instances, locks, maintenance, releases, services, stacks, traffic
from bluegreen.engine.engine import Engine
from tests.unit.engine.play import play
from tests.unit.engine.world import World, managed, service, two_colors

ONE = "shop-webx-green-r1-1"
BLUE = Link(service="webx-blue", alias="webx-blue")

Do = Callable[[Engine], Awaitable[Any]]

CHANGES: dict[str, Do] = {
    "links": lambda e: traffic.set_links(e, "lbx", [BLUE]),
    "switch": lambda e: traffic.switch(e, "lbx", "webx-blue"),
    "switch to where it is": lambda e: traffic.switch(e, "lbx", "webx-green"),
    "balancer redeploy": lambda e: traffic.redeploy(e, "lbx"),
    "maintenance": lambda e: maintenance.begin(e, "lbx"),
    "environment": lambda e: services.set_environment(e, "webx-blue", put={"A": "b"}),
    "image": lambda e: services.set_image(e, "webx-blue", "web:3"),
    "scale": lambda e: services.scale(e, "webx-blue", 2),
    "deploy": lambda e: releases.deploy(e, "webx-blue"),
    "start": lambda e: services.start(e, "webx-blue"),
    "stop": lambda e: services.stop(e, "webx-blue"),
    "terminate": lambda e: services.terminate(e, "webx-blue"),
    "lock": lambda e: locks.lock(e, "shop", "webx-blue", who="ana", why="sale"),
    "lock of the stack": lambda e: locks.lock(e, "shop", who="ana", why="sale"),
}

GONE: dict[str, Do] = {
    **CHANGES,
    "unlock": lambda e: locks.unlock(e, "shop"),
    "rollback": lambda e: releases.rollback(e, "webx-blue"),
    "drain": lambda e: instances.drain(e, ONE, force=True),
    "ready": lambda e: instances.ready(e, ONE),
    "restart": lambda e: instances.restart(e, ONE, force=True),
    "down": lambda e: stacks.down(e, "shop"),
}


def larger(spec: StackSpec) -> StackSpec:
    return replace(spec, services=(*spec.services, service("mail")))


@pytest.mark.parametrize("change", CHANGES)
def test_what_an_up_has_just_stored_is_kept_by_who_waited_for_it(change: str) -> None:
    async def story(world: World, engine: Engine) -> None:
        wanted = larger(engine.ledger.spec("shop"))
        await asyncio.gather(stacks.up(engine, wanted), CHANGES[change](engine))
        assert engine.ledger.spec("shop").service("mail") is not None

    play(story, two_colors())


def test_a_switch_to_where_it_is_aims_what_was_stored_meanwhile() -> None:
    """The links lead elsewhere since: that is what the switch, said later, takes back, and nothing else."""

    async def story(world: World, engine: Engine) -> None:
        spec = engine.ledger.spec("shop")
        await asyncio.gather(
            traffic.set_links(engine, "lbx", [BLUE]), traffic.switch(engine, "lbx", "webx-green")
        )
        assert engine.ledger.spec("shop").routes[0].target == spec.routes[0].target

    play(story, two_colors())


def test_a_redeploy_goes_to_the_links_that_were_set_while_it_waited() -> None:
    async def story(world: World, engine: Engine) -> None:
        _, rollout = await asyncio.gather(
            traffic.set_links(engine, "lbx", [BLUE]), traffic.redeploy(engine, "lbx")
        )
        assert rollout is not None
        assert rollout.service == "webx-blue"

    play(story, two_colors())


def test_links_to_a_service_that_left_meanwhile_are_refused() -> None:
    async def story(world: World, engine: Engine) -> None:
        spec = engine.ledger.spec("shop")
        routes = tuple(replace(route, candidates=("webx-green",)) for route in spec.routes)
        left = tuple(one for one in spec.services if one.name != "webx-blue")
        smaller = replace(spec, services=left, routes=routes)
        _, refused = await asyncio.gather(
            stacks.up(engine, smaller, prune=True),
            traffic.set_links(engine, "lbx", [BLUE]),
            return_exceptions=True,
        )
        assert isinstance(refused, UserError), refused
        assert refused.code == "unknown_service"

    play(story, two_colors())


@pytest.mark.parametrize("wish", GONE)
def test_who_waited_for_a_down_is_told_that_it_is_gone(wish: str) -> None:
    async def story(world: World, engine: Engine) -> None:
        _, refused = await asyncio.gather(
            stacks.down(engine, "shop"), GONE[wish](engine), return_exceptions=True
        )
        assert isinstance(refused, UserError), repr(refused)
        assert refused.code in {"unknown_service", "unknown_stack", "unknown_route", "unknown_instance"}
        assert "shop" not in engine.ledger.stacks
        world.watchman.gaps.clear()  # that nobody is served any more is what was asked for

    play(story, two_colors())


def test_what_a_release_changed_while_a_write_waited_for_its_turn_is_kept() -> None:
    """Rollouts store where they went without the lock of commands: whoever writes next builds on it."""

    async def story(world: World, engine: Engine) -> None:
        def moved(spec: StackSpec) -> StackSpec:
            return replace(spec, services=tuple(replace(s, stop_grace=9.0) for s in spec.services))

        await asyncio.gather(
            releases.change_stack(engine, "shop", moved, "a rollout"),
            services.set_environment(engine, "web", put={"A": "b"}),
            maintenance.begin(engine, "lb"),
        )
        (web,) = engine.ledger.spec("shop").services
        assert (web.stop_grace, web.environment) == (9.0, {"A": "b"})
        assert engine.ledger.spec("shop").routes[0].maintenance is not None

    play(story, managed())
