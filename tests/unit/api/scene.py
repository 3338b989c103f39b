"""The API in front of an engine whose world is in memory: two stacks run, requests come as by TCP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
from fastapi import FastAPI

from bluegreen.api.app import create_app
from bluegreen.api.context import About, Context
from bluegreen.api.metrics.tally import Tally
from bluegreen.domain.access import Actor, Deed, Role
from bluegreen.engine.doorkeeper import Doorkeeper
from bluegreen.engine.engine import Engine
from bluegreen.engine.hooks import Hooks
from bluegreen.engine.tries import Tries
from bluegreen.engine.views import Viewer
from bluegreen.ports.access import DeedQuery
from bluegreen.testing.virtual_time import run
from tests.unit.engine.world import World, bring_up, managed

ROOT = Actor(name="root", role=Role.ADMIN, via="socket")
SHOP, BLOG = "shop", "blog"


@dataclass(frozen=True)
class Scene:
    app: FastAPI
    engine: Engine
    doorkeeper: Doorkeeper
    hooks: Hooks
    world: World
    client: httpx.AsyncClient

    async def token(self, role: Role, *stacks: str) -> str:
        name = f"{role} of {'+'.join(stacks) or 'all'}"
        return (await self.doorkeeper.issue(name, role, ROOT, stacks=stacks))[1]

    async def ask(self, method: str, path: str, token: str = "", **request: Any) -> httpx.Response:
        """Return the answer to a request that comes by TCP, with ``token`` if there is one."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= request.pop("headers", {})
        return await self.client.request(method, path, headers=headers, **request)

    async def trail(self) -> list[Deed]:
        return list(await self.doorkeeper.deeds(DeedQuery()))


def play(story: Callable[[Scene], Awaitable[None]]) -> None:
    async def main() -> None:
        world = World()
        async with world.controller() as engine:
            shop = managed()
            await bring_up(world, engine, shop)
            await bring_up(world, engine, replace(shop, name=BLOG, routes=(), balancers=()))
            tries = Tries()
            doorkeeper = Doorkeeper(engine.drivers.access, engine.drivers.clock, tries)
            hooks = Hooks(engine.drivers.hooks, tries, engine.drivers.clock)
            about = About(version="0", pid=1, runtime="fake", balancer="fake", state_dir="/")
            context = Context(
                engine=engine,
                viewer=Viewer(engine),
                about=about,
                doorkeeper=doorkeeper,
                hooks=hooks,
                tally=Tally(engine),
            )
            app = create_app(context)
            transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("10.0.0.9", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://box", verify=False) as client:
                await story(Scene(app, engine, doorkeeper, hooks, world, client))

    run(main())
