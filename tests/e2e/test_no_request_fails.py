"""The first promise: no request fails because of a release. Real controller, real balancer, real
load; every test ends with ``failed == 0``."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from bluegreen.load import Edge, Result
from tests.e2e.conftest import Build
from tests.support.house import House, managed, two_colors
from tests.support.waiting import until


def unharmed(result: Result) -> None:
    """Require that no user noticed anything, with what they noticed as the message."""
    assert result.failed == 0, (result.failures_by_class, result.first_failures)
    assert all(switch.stale == 0 for switch in result.switches), result.switches
    assert result.requests > 50


def test_switch_by_the_two_docker_cloud_commands(build: Build) -> None:
    async def main() -> None:
        async with build() as house:
            await house.up(two_colors(house.port))
            assert await house.version() == "0.0.1"
            async with house.users() as load:
                await load.mark("switch")
                linked = await house.cli("service", "set", "--link", "webx-blue:webx-blue", "lbx")
                assert linked.code == 0, linked
                assert await house.version() == "0.0.1"  # set changes only the definition
                moved = await house.cli("service", "redeploy", "lbx")
                assert moved.code == 0, moved
                await load.mark("switch", Edge.END)
                assert await house.version() == "0.0.2"
                await load.mark("back")
                back = await house.cli("rollback", "lbx")
                assert back.code == 0, back
                assert await house.version() == "0.0.1"
                unharmed(await load.stop())

    asyncio.run(main())


@pytest.mark.together(runtime=("process", "docker"), balancer="haproxy", registry="none")
def test_deploy_and_rollback_of_a_managed_service(build: Build) -> None:
    async def main() -> None:
        async with build() as house:
            await house.up(managed(house.port, replicas=2))
            async with house.users() as load:
                await load.mark("deploy")
                rollout = await house.deploy("web", "0.0.2")
                assert rollout["outcome"]["exit_code"] == 0, rollout
                assert await house.version() == "0.0.2"
                await load.mark("rollback")
                began = await house.post("/v1/services/web/rollback")
                ended = await house.final(began["rollout"]["id"])
                assert ended["phase"] == "reverted"
                assert await house.version() == "0.0.1"
                unharmed(await load.stop())

    asyncio.run(main())


def test_rollback_after_the_old_color_was_retired(build: Build) -> None:
    async def main() -> None:
        async with build() as house:
            await house.up(managed(house.port))
            async with house.users() as load:
                await house.deploy("web", "0.0.2")
                third = await house.deploy("web", "0.0.1")  # ends the bake: release 1 is retired
                assert third["outcome"]["exit_code"] == 0, third
                began = await house.post("/v1/services/web/rollback", {"to": 2})
                await house.settled(began["rollout"]["id"])
                assert await house.version() == "0.0.2"
                unharmed(await load.stop())

    asyncio.run(main())


@pytest.mark.timeout(200)
def test_thirty_deploys_in_a_row_with_the_old_color_killed_at_once() -> None:
    """`make bench` does a hundred of each, and counts."""

    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port))
            async with house.users(duration=190.0, slow_path="/slow?seconds=0.3") as load:
                for turn in range(30):
                    before = house.pids()
                    rollout = await house.deploy("web", f"0.0.{turn + 2}")
                    assert rollout["outcome"]["exit_code"] == 0, rollout
                    os.kill(before[f"shop-web-r{turn + 1}-1"], signal.SIGKILL)
                assert await house.version() == "0.0.31"
                unharmed(await load.stop())

    asyncio.run(main())


@pytest.mark.timeout(200)
def test_fifty_switches_in_a_row() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(two_colors(house.port))
            async with house.users(duration=190.0, slow_path="/slow?seconds=0.3") as load:
                for turn in range(50):
                    target = ("webx-blue", "webx-green")[turn % 2]
                    await load.mark(f"switch {turn}")
                    rollout = await house.switch("lbx", target)
                    assert rollout["outcome"]["exit_code"] == 0, rollout
                unharmed(await load.stop())

    asyncio.run(main())


def test_scaling_out_and_in(build: Build) -> None:
    async def main() -> None:
        async with build() as house:
            await house.up(managed(house.port))
            async with house.users() as load:
                for replicas in (3, 1):
                    await house.post("/v1/services/web/scale", {"replicas": replicas})

                    async def serving(wanted: int = replicas) -> bool:
                        found = await house.get("/v1/instances?service=web")
                        return len(found) == wanted and all(i["rotation"] == "in" for i in found)

                    await until(serving, timeout=30.0)
                unharmed(await load.stop())

    asyncio.run(main())
