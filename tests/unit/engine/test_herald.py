"""People are told in order, again where it was not heard, and nobody waits for that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary
from bluegreen.domain.events import Event
from bluegreen.engine.bus import Bus
from bluegreen.engine.herald import PAUSES, Herald
from bluegreen.testing.background import running
from bluegreen.testing.virtual_time import VirtualClock, run

DOWN = Temporary("nobody is there", code="messenger_silent")
REFUSED = Permanent("no such channel", code="messenger_refused")


class Recorder:
    """A messenger whose next calls fail as ``troubles`` says, oldest first."""

    name = "recorder"

    def __init__(self, *troubles: BluegreenError) -> None:
        self.troubles = list(troubles)
        self.told: list[str] = []
        self.tries = 0

    async def tell(self, event: Event) -> None:
        self.tries += 1
        if self.troubles:
            raise self.troubles.pop(0)
        self.told.append(event.message)


def an_event(message: str, kind: str = "rollout.began", level: str = "info") -> Event:
    return Event(kind=kind, message=message, at=0.0, level=level)


def play(messenger: Recorder, scenario: Callable[[Bus], Awaitable[None]]) -> None:
    async def main() -> None:
        bus = Bus()
        async with running(Herald(bus, messenger, VirtualClock()).run()):
            await asyncio.sleep(0)
            await scenario(bus)

    run(main())


def test_what_matters_is_told_in_its_order() -> None:
    messenger = Recorder()

    async def scenario(bus: Bus) -> None:
        bus.publish([an_event("one"), an_event("a step", "rollout.proved")])
        bus.publish([an_event("two", "rollout.failed"), an_event("quiet", level="debug")])
        bus.publish([an_event("three", "service.alarm")])
        await asyncio.sleep(1)

    play(messenger, scenario)
    assert messenger.told == ["one", "two", "three"]


def test_what_was_not_heard_is_told_again_before_what_follows() -> None:
    messenger = Recorder(DOWN, DOWN)

    async def scenario(bus: Bus) -> None:
        bus.publish([an_event("one"), an_event("two")])
        await asyncio.sleep(PAUSES[0] + PAUSES[1] + 1)

    play(messenger, scenario)
    assert (messenger.told, messenger.tries) == (["one", "two"], 4)


@pytest.mark.parametrize(
    ("troubles", "tries"), [([REFUSED], 1), ([DOWN] * (len(PAUSES) + 1), len(PAUSES) + 1)]
)
def test_what_nobody_takes_is_given_up_and_the_next_is_told(
    troubles: list[BluegreenError], tries: int
) -> None:
    messenger = Recorder(*troubles)

    async def scenario(bus: Bus) -> None:
        bus.publish([an_event("lost"), an_event("next")])
        await asyncio.sleep(sum(PAUSES) + 1)

    play(messenger, scenario)
    assert (messenger.told, messenger.tries) == (["next"], tries + 1)
