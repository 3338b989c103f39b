"""What people do, through the real engine, on a world in memory."""

from __future__ import annotations

import pytest

from bluegreen.domain.errors import BluegreenError, UserError
from bluegreen.domain.rollout import Phase
from bluegreen.domain.spec import Link
from bluegreen.engine.commands import instances, releases, services, stacks, traffic
from bluegreen.testing.virtual_time import run
from tests.unit.engine.world import World, bring_up, finished, managed, service, two_colors, until


def test_a_stack_comes_up_and_its_route_leads_to_the_target() -> None:
    async def main() -> None:
        world = World()
        async with world.controller() as engine:
            await bring_up(world, engine, two_colors())
            assert world.weights("lbx") == {"shop.webx-green.green": 100}
            assert world.serves("lbx") == {("webx-green", 1)}
            assert [i.name for i in world.instances("webx-blue")] == ["shop-webx-blue-r1-1"]
            assert world.instances("db")[0].running
        assert not world.watchman.gaps

    run(main())


def test_a_service_may_stand_before_what_it_depends_on() -> None:
    async def main() -> None:
        world = World()
        stack = two_colors()
        turned = stack.__class__(
            name=stack.name,
            services=tuple(reversed(stack.services)),
            balancers=stack.balancers,
            routes=stack.routes,
        )
        async with world.controller() as engine:
            await bring_up(world, engine, turned)
            assert world.serves("lbx") == {("webx-green", 1)}

    run(main())


def test_a_deploy_moves_all_traffic_and_retires_the_old_color() -> None:
    async def main() -> None:
        world = World()
        async with world.controller() as engine:
            await bring_up(world, engine, managed(replicas=2))
            rollout = await releases.deploy(engine, "web", image="web:2")
            ended = await finished(world, rollout)
            assert ended.phase is Phase.DONE, ended.reason
            assert world.weights() == {"shop.web.green": 100}
            assert world.serves() == {("web", 2)}
            assert [i.release for i in world.instances("web")] == [2, 2]
        assert not world.watchman.gaps

    run(main())
