"""Who comes in by a token, who is told to wait, and what is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bluegreen.domain.access import Actor, Deed, Role
from bluegreen.domain.errors import Temporary, UserError
from bluegreen.engine.doorkeeper import Doorkeeper
from bluegreen.engine.tries import ORIGINS, TRIES, WINDOW
from bluegreen.ports.access import DeedQuery
from bluegreen.testing.fake_access import FakeAccess
from bluegreen.testing.fake_clock import FakeClock

ROOT = Actor(name="root", role=Role.ADMIN, via="socket")
HERE, THERE = "10.0.0.1", "10.0.0.2"


class Scene:
    def __init__(self) -> None:
        self.store = FakeAccess()
        self.clock = FakeClock()
        self.door = Doorkeeper(self.store, self.clock)

    def refusal(self, text: str, origin: str = HERE) -> UserError:
        with pytest.raises(UserError) as refused:
            self.door.by_token(text, origin)
        return refused.value


def play(scenario: Callable[[Scene], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario(Scene())

    asyncio.run(main())


def test_a_token_opens_as_whom_it_was_made_for_also_after_a_restart() -> None:
    async def scenario(scene: Scene) -> None:
        _, text = await scene.door.issue("ci", Role.DEPLOYER, ROOT, stacks=("shop",))
        after = Doorkeeper(scene.store, scene.clock)
        await after.load()
        for door in (scene.door, after):
            actor = door.by_token(text, HERE)
            assert actor == Actor(name="ci", role=Role.DEPLOYER, via="token", origin=HERE, stacks=("shop",))

    play(scenario)


def test_what_expired_or_was_withdrawn_opens_nothing() -> None:
    async def scenario(scene: Scene) -> None:
        _, brief = await scene.door.issue("brief", Role.VIEWER, ROOT, lifetime=60.0)
        _, gone = await scene.door.issue("gone", Role.VIEWER, ROOT)
        scene.clock.advance(60.0)
        await scene.door.withdraw("gone")
        assert scene.refusal(brief).code == "token_expired"
        assert scene.refusal(gone).code == "unauthenticated"
        with pytest.raises(UserError, match="no token gone") as refused:
            await scene.door.withdraw("gone")
        assert "brief" in refused.value.hint

    play(scenario)


def test_who_tries_secrets_out_has_to_wait_and_nobody_else() -> None:
    async def scenario(scene: Scene) -> None:
        _, text = await scene.door.issue("ci", Role.DEPLOYER, ROOT)
        for _ in range(TRIES):
            assert scene.refusal(text[:-1]).code == "unauthenticated"
        told = scene.refusal(text[:-1])
        assert (told.code, dict(told.evidence)) == ("too_many_tries", {"Retry-After": f"{int(WINDOW) + 1}"})
        assert scene.refusal(text[:-1], THERE).code == "unauthenticated"
        assert scene.door.by_token(text, HERE).name == "ci"  # who is right does not pay for a neighbour
        scene.clock.advance(WINDOW)
        assert scene.refusal(text[:-1]).code == "unauthenticated"

    play(scenario)


def test_tries_from_everywhere_do_not_fill_the_memory() -> None:
    async def scenario(scene: Scene) -> None:
        for number in range(ORIGINS + 10):
            scene.refusal("bg_0_0", f"host-{number}")
        assert len(scene.door._tries.of) <= ORIGINS

    play(scenario)


def test_a_trail_that_cannot_be_written_holds_up_nobody() -> None:
    async def scenario(scene: Scene) -> None:
        async def full(deed: Deed) -> Deed:
            raise Temporary("the disk is full", code="disk_full")

        scene.store.note = full  # type: ignore[method-assign]
        deed = Deed(
            at=0.0, who="ci", role=Role.DEPLOYER, via="token", origin=HERE, what="deploy", outcome="done"
        )
        await scene.door.note(deed)
        assert await scene.door.deeds(DeedQuery()) == ()

    play(scenario)
