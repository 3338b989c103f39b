"""Clients of streams that are slow, deaf or gone cost next to nothing, and nobody else notices them."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

import pytest

from bluegreen.api.access.entrance import TCP, Entrance
from bluegreen.api.streams import PATIENCE
from bluegreen.domain.access import Role
from bluegreen.domain.events import Event
from bluegreen.engine.bus import BACKLOG, Behind, Bus, follow
from bluegreen.engine.commands import releases
from bluegreen.ports.journal import Query
from bluegreen.testing.fake_journal import FakeJournal
from bluegreen.testing.virtual_time import run
from tests.unit.api.listening import Client, Reader
from tests.unit.api.scene import Scene, play
from tests.unit.engine.world import finished

EVENTS, DEAF, VANISHING = 5_000, 200, 200
STREAM = "/v1/events/stream"


def event(number: int) -> Event:
    return Event(kind="test.told", message=f"event {number}", at=0.0, stack="shop")


def test_who_does_not_listen_is_let_go_and_told_where_to_go_on() -> None:
    async def main() -> None:
        bus = Bus()
        with bus.listen() as slow, bus.listen() as quick:
            for id in range(1, BACKLOG + 2):
                bus.publish([Event(kind="test.told", message="", at=0.0, id=id)])
                assert (await quick.get()).id == id
                assert len(slow) <= BACKLOG
            assert (len(bus.listeners), len(slow)) == (1, 0)
            with pytest.raises(Behind) as lost:
                await slow.get()
            assert lost.value.after == 0
        assert len(bus.listeners) == 0

    run(main())


def test_who_is_slow_misses_nothing_and_hears_nothing_twice() -> None:
    async def main() -> None:
        bus, journal = Bus(), FakeJournal()
        heard: list[int] = []
        bus.publish(await journal.record((), [event(0)]))
        async for one in follow(bus, journal, Query(stack="shop"), None):
            if one is not None:
                heard.append(one.id)
            elif len(heard) >= 3 * BACKLOG:
                break
            else:
                for _ in range(3):
                    written = await journal.record((), [event(n) for n in range(BACKLOG // 2)])
                    bus.publish(written)
                    bus.publish(await journal.record((), [Event(kind="test.else", message="", at=0.0)]))
        assert heard == sorted(set(heard))
        assert len(heard) == 3 * BACKLOG

    run(main())


def test_clients_that_never_read_or_vanish_disturb_nobody() -> None:
    async def story(scene: Scene) -> None:
        app, token = Entrance(scene.app, TCP), await scene.token(Role.ADMIN)
        bus, journal = scene.engine.bus, scene.engine.drivers.journal
        quiet = len(bus.listeners)
        async with AsyncExitStack() as stack:
            readers = [await stack.enter_async_context(Reader.at(app, STREAM, token)) for _ in range(2)]
            deaf, vanishing = [Client() for _ in range(DEAF)], [Client() for _ in range(VANISHING)]
            others = [asyncio.create_task(one.run(app, STREAM, token)) for one in (*deaf, *vanishing)]
            await asyncio.sleep(0.1)
            begun = await journal.record((), [event(-1)])
            bus.publish(begun)
            for one in vanishing:
                one.gone.set()
            for first in range(0, EVENTS, 100):
                bus.publish(await journal.record((), [event(n) for n in range(first, first + 100)]))
                assert all(len(one) <= BACKLOG for one in bus.listeners)
                await asyncio.sleep(0.01)
            assert len(bus.listeners) <= quiet + len(readers)
            rollout = await releases.deploy(scene.engine, "web", stack="shop")
            for reader in readers:
                told = [json.loads(await reader.next("progress"))["message"] for _ in range(EVENTS + 1)]
                assert told == [f"event {n}" for n in range(-1, EVENTS)]
            await finished(scene.world, rollout)
            await asyncio.sleep(PATIENCE)
            assert all(task.done() for task in others)
            assert all(one.cut for one in deaf)
            assert not any(one.cut for one in vanishing)
        assert len(bus.listeners) == quiet

    play(story)


def test_a_reader_of_a_rollout_goes_on_where_it_was() -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.VIEWER)
        rollout = await releases.deploy(scene.engine, "web", stack="shop")
        assert rollout is not None
        await finished(scene.world, rollout)
        path = f"/v1/rollouts/{rollout.id}/stream"
        whole = [line for line in (await scene.ask("GET", path, token)).text.splitlines() if "id: " in line]
        third = {"Last-Event-ID": whole[2].removeprefix("id: ")}
        rest = (await scene.ask("GET", path, token, headers=third)).text.splitlines()
        assert [line for line in rest if "id: " in line] == whole[3:]
        assert "event: outcome" in rest

    play(story)


@pytest.mark.parametrize("quiet", [True, False])
def test_a_stream_ends_with_the_token_that_opened_it(quiet: bool) -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.ADMIN)
        asked = [asyncio.create_task(scene.ask("GET", path, token)) for path in await endless(scene)]
        await asyncio.sleep(0.5)
        await scene.doorkeeper.withdraw("admin of all")
        if not quiet:
            scene.world.runtime.say("shop-web-r1-1", "not for you")
            scene.engine.bus.publish(await scene.engine.drivers.journal.record((), [event(9)]))
        async with asyncio.timeout(10):
            answers = await asyncio.gather(*asked)
        assert not any("not for you" in answer.text or "event 9" in answer.text for answer in answers)

    play(story)


async def endless(scene: Scene) -> tuple[str, ...]:
    """Return what can be followed and does not end by itself soon."""
    rollout = await releases.deploy(scene.engine, "web", stack="shop")
    assert rollout is not None
    logs = "/v1/instances/shop-web-r1-1/logs?follow=true"
    return STREAM, f"/v1/rollouts/{rollout.id}/stream?until=final", logs


def test_who_comes_from_another_journal_hears_what_happens_from_now_on() -> None:
    async def main() -> None:
        bus, journal = Bus(), FakeJournal()
        await journal.record((), [event(1), event(2)])
        told = follow(bus, journal, Query(), 5_000)
        assert await anext(told) is None
        bus.publish(await journal.record((), [event(3)]))
        heard = await anext(told)
        assert heard is not None
        assert heard.message == "event 3"

    run(main())
