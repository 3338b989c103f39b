"""A story of the engine on a world in memory: the stack is up, then the story is played."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bluegreen.domain.stack import StackSpec
from bluegreen.engine.engine import Engine
from bluegreen.testing.virtual_time import run
from tests.unit.engine.world import World, bring_up, managed


def play(story: Callable[[World, Engine], Awaitable[None]], stack: StackSpec | None = None) -> None:
    """Bring the stack up and play the story; no moment of it may leave a live route without service."""

    async def main() -> None:
        world = World()
        async with world.controller() as engine:
            await bring_up(world, engine, stack or managed())
            await story(world, engine)
        assert not world.watchman.gaps, world.watchman.gaps[:3]

    run(main())
