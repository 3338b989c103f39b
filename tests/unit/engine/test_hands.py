"""What people do to instances behind the controller's back, told by the runtime or by nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bluegreen.domain.instance import InstanceState
from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import Admin
from bluegreen.domain.spec import RestartPolicy
from bluegreen.engine.engine import Engine
from bluegreen.engine.inventory import ENDING, LOOK_EVERY, LOOK_JITTER
from bluegreen.ports.journal import Query
from bluegreen.testing.fake_runtime import Behaviour
from tests.unit.engine.play import play
from tests.unit.engine.world import World, managed, until

BLUE = PoolId("shop.web.blue")
ONE, TWO = "shop-web-r1-1", "shop-web-r1-2"
NEXT_LOOK = LOOK_EVERY * (1 + LOOK_JITTER) + 5.0
PAIR = managed(replicas=2, restart=RestartPolicy.ALWAYS)


def servers(world: World) -> list[str]:
    """Return who gets new requests."""
    known = world.balancer.routing.pools[BLUE].servers
    return sorted(server.name for server in known if server.admin is Admin.READY)


def whole(world: World) -> bool:
    names = [i.name for i in world.instances("web") if i.running]
    return names == servers(world) == [ONE, TWO] and len(world.serving(BLUE)) == 2


async def said(world: World) -> list[str]:
    return [event.kind for event in await world.journal.events(Query())]


HANDS: dict[str, Callable[[World], None]] = {
    "removed": lambda world: world.runtime.vanish(ONE),
    "restarted elsewhere": lambda world: world.runtime.crash(ONE),
    "renamed": lambda world: world.runtime.rename(ONE, "by-hand"),
    "cut off": lambda world: world.runtime.move(ONE, None, 3000),
    "moved": lambda world: world.runtime.move(ONE, "10.9.9.9", 3000),
}


@pytest.mark.parametrize("hand", HANDS)
def test_what_was_done_by_hand_is_followed_and_put_right(hand: str) -> None:
    async def story(world: World, engine: Engine) -> None:
        HANDS[hand](world)
        await until(lambda: whole(world), timeout=5.0)

    play(story, PAIR)


@pytest.mark.parametrize("hand", HANDS)
def test_what_no_event_has_told_is_found_by_the_next_look_around(hand: str) -> None:
    async def story(world: World, engine: Engine) -> None:
        with world.runtime.unheard():
            HANDS[hand](world)
        before = world.clock.now()
        await until(lambda: whole(world), timeout=NEXT_LOOK)
        assert world.clock.now() - before > 1, "without an event only the clock can have told"

    play(story, PAIR)


def test_a_pause_that_nobody_told_is_found_and_so_is_its_end() -> None:
    async def story(world: World, engine: Engine) -> None:
        with world.runtime.unheard():
            world.runtime.pause(ONE)
        await until(lambda: servers(world) == [TWO], timeout=NEXT_LOOK)
        with world.runtime.unheard():
            world.runtime.resume(ONE)
        await until(lambda: whole(world), timeout=NEXT_LOOK)

    play(story, PAIR)


def test_a_quiet_world_costs_one_question_a_minute_and_wakes_nobody() -> None:
    async def story(world: World, engine: Engine) -> None:
        await until(lambda: whole(world))
        begun, asked = world.clock.now(), len(world.runtime.calls)
        await until(lambda: world.clock.now() > begun + 10 * LOOK_EVERY, timeout=11 * LOOK_EVERY)
        questions = world.runtime.calls[asked:]
        assert set(questions) == {("list", "*/*")}
        assert 10 / (1 + LOOK_JITTER) - 1 <= len(questions) <= 10 / (1 - LOOK_JITTER) + 1

    play(story, PAIR)


def test_the_only_instance_is_renamed_and_nobody_notices() -> None:
    """The watchman of every story sees to it that the pool is never without it."""

    async def story(world: World, engine: Engine) -> None:
        first = world.runtime.instances[ONE]
        world.runtime.rename(ONE, "by-hand")
        await until(lambda: servers(world) == [ONE] and list(world.runtime.instances) == [ONE])
        assert world.runtime.instances[ONE] == first
        assert "instance.restored" in await said(world)
        assert "instance.started" not in await said(world)

    play(story, managed())


def test_what_is_asked_to_end_gets_nothing_new_until_it_has_ended_and_come_back() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.runtime.behaves = lambda spec: Behaviour(ignores=frozenset({"TERM"}))
        await world.runtime.signal(ONE, "TERM")
        await until(lambda: servers(world) == [TWO], timeout=1.0)
        assert world.runtime.instances[ONE].running
        world.runtime.crash(ONE, 0)
        await until(lambda: whole(world), timeout=5.0)
        told = [event.message for event in await world.journal.events(Query())]
        assert f"{ONE} is out of rotation: it is asked to end" in told

    play(story, PAIR)


def test_what_was_asked_to_end_and_does_not_is_taken_back_in_the_end() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.runtime.behaves = lambda spec: Behaviour(ignores=frozenset({"TERM"}))
        await world.runtime.signal(ONE, "TERM")
        await until(lambda: servers(world) == [TWO], timeout=1.0)
        await until(lambda: whole(world), timeout=ENDING + NEXT_LOOK)

    play(story, PAIR)


def test_the_last_that_serves_goes_on_serving_when_it_is_asked_to_end() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.runtime.behaves = lambda spec: Behaviour(ignores=frozenset({"TERM"}))
        await world.runtime.signal(ONE, "TERM")
        await until(lambda: servers(world) == [TWO], timeout=1.0)
        await world.runtime.signal(TWO, "TERM")
        await until(lambda: servers(world) == [ONE, TWO], timeout=1.0)

    play(story, PAIR)


def test_a_pause_is_told_and_followed_at_once() -> None:
    async def story(world: World, engine: Engine) -> None:
        world.runtime.hang("list")
        world.runtime.pause(ONE)
        await until(lambda: servers(world) == [TWO], timeout=1.0)
        assert world.runtime.instances[ONE].state is InstanceState.PAUSED

    play(story, PAIR)
