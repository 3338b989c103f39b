"""The Docker daemon dies or hangs under load: users notice nothing as long as the containers live, and the
controller goes on with its work when the daemon is back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from bluegreen.domain.policy import RolloutPolicy
from bluegreen.load import LoadProcess
from tests.e2e.test_no_request_fails import unharmed
from tests.support import images
from tests.support.docker_engine import DockerEngine
from tests.support.house import APP, House, managed
from tests.support.waiting import until

pytestmark = pytest.mark.docker

TAGS = ("0.0.1", "0.0.2")


@pytest.fixture(scope="module")
def surviving() -> Iterator[DockerEngine]:
    """An engine whose containers go on without it (``live-restore``)."""
    with DockerEngine.running(live_restore=True) as engine:
        images.load(engine, tags=TAGS)
        yield engine


@pytest.fixture(scope="module")
def mortal() -> Iterator[DockerEngine]:
    """An engine with Docker's defaults: its containers outlive it, and are killed when it comes back."""
    with DockerEngine.running() as engine:
        images.load(engine, tags=TAGS)
        yield engine


async def _more(load: LoadProcess, requests: int = 300) -> None:
    before = (await load.progress()).requests

    async def served() -> bool:
        return (await load.progress()).requests > before + requests

    await until(served, timeout=20.0)


async def _told(house: House, rollout: str, words: str) -> bool:
    events = await house.get(f"/v1/events?limit=200&rollout={rollout}")
    return any(words in event["message"] for event in events)


async def _in_rotation(house: House, count: int) -> None:
    async def all_in() -> bool:
        found = await house.get("/v1/instances?service=web")
        return [i["rotation"] for i in found] == ["in"] * count

    await until(all_in, timeout=30.0)


def test_nobody_notices_a_killed_daemon_whose_containers_go_on(surviving: DockerEngine) -> None:
    async def main() -> None:
        async with House.standing("docker", surviving.url) as house:
            await house.up(managed(house.port, replicas=2))
            async with house.users(slow_path="/slow?seconds=0.5") as load:
                surviving.kill()
                try:
                    await _more(load)
                    assert await house.version() == "0.0.1"
                    status = await house.cli("status", "--json")
                    assert status.code == 0, status
                finally:
                    await asyncio.to_thread(surviving.start)
                await _in_rotation(house, 2)
                rollout = await house.deploy("web", "0.0.2")
                assert rollout["outcome"]["exit_code"] == 0, rollout
                assert await house.version() == "0.0.2"
                unharmed(await load.stop())

    asyncio.run(main())


def test_events_are_followed_again_after_a_daemons_death(surviving: DockerEngine) -> None:
    async def main() -> None:
        async with House.standing("docker", surviving.url) as house:
            await house.up(managed(house.port, replicas=2))
            async with house.users(post=0, slow_path="/slow?seconds=0.5") as load:
                surviving.kill()
                await asyncio.to_thread(surviving.start)
                await asyncio.to_thread(surviving.docker, "rm", "-f", "shop-web-r1-2")

                async def told() -> bool:
                    events = await house.get("/v1/events?limit=200")
                    return any("shop-web-r1-2 ended" in event["message"] for event in events)

                await until(told, timeout=30.0)
                await _in_rotation(house, 2)
                unharmed(await load.stop())

    asyncio.run(main())


def test_a_daemon_that_kills_its_containers_as_it_returns(mortal: DockerEngine) -> None:
    """Without ``live-restore`` traffic goes on while the daemon is away; its return ends every container,
    which no balancer can hide. The stack must then come back by itself."""

    async def main() -> None:
        async with House.standing("docker", mortal.url) as house:
            await house.up(managed(house.port, replicas=2))
            async with house.users(slow=0) as load:
                mortal.kill()
                try:
                    await _more(load)
                finally:
                    result = await load.stop()
                    await asyncio.to_thread(mortal.start)
                unharmed(result)

            async def back() -> bool:
                try:
                    return await house.version() == "0.0.1"
                except (httpx.HTTPError, KeyError):
                    return False

            await until(back, timeout=30.0)
            await _in_rotation(house, 2)
            async with house.users(slow_path="/slow?seconds=0.5") as load:
                rollout = await house.deploy("web", "0.0.2")
                assert rollout["outcome"]["exit_code"] == 0, rollout
                unharmed(await load.stop())

    asyncio.run(main())


def test_a_daemon_that_hangs_during_a_deploy(surviving: DockerEngine) -> None:
    """The deploy goes on when the daemon answers again; meanwhile nothing moves and it says why."""
    policy = RolloutPolicy(start_deadline=60.0, bake=60.0, drain=10.0)

    async def main() -> None:
        async with House.standing("docker", surviving.url) as house:
            await house.up(managed(house.port, rollout=policy))
            async with house.users(slow_path="/slow?seconds=0.5") as load:
                surviving.suspend()
                try:
                    began = await house.post("/v1/services/web/deploy", {"image": f"{APP}:0.0.2"})
                    id = began["rollout"]["id"]
                    await until(lambda: _told(house, id, "did not"), timeout=30.0)
                    assert (await house.get(f"/v1/rollouts/{id}"))["phase"] == "preparing"
                    assert await house.version() == "0.0.1"
                finally:
                    surviving.resume()
                ended = await house.settled(id)
                assert ended["outcome"]["exit_code"] == 0, ended
                assert await house.version() == "0.0.2"
                unharmed(await load.stop())

    asyncio.run(main())


def test_a_daemon_that_dies_during_a_deploy(surviving: DockerEngine) -> None:
    """It waits, says that Docker is away, and goes on where it was; what is live stays live."""
    policy = RolloutPolicy(start_deadline=60.0, bake=60.0, drain=10.0)

    async def main() -> None:
        async with House.standing("docker", surviving.url) as house:
            await house.up(managed(house.port, rollout=policy))
            async with house.users(slow_path="/slow?seconds=0.5") as load:
                began = await house.post(
                    "/v1/services/web/deploy",
                    {"image": f"{APP}:0.0.2", "environment": {"START_DELAY": "2"}},
                )
                id = began["rollout"]["id"]
                await house.in_phase(id, "proving")
                surviving.kill()
                try:
                    await until(lambda: _told(house, id, "Docker cannot be reached"), timeout=20.0)
                    assert await house.version() == "0.0.1"
                finally:
                    await asyncio.to_thread(surviving.start)
                ended = await house.settled(id)
                assert ended["outcome"]["exit_code"] == 0, ended
                assert await house.version() == "0.0.2"
                unharmed(await load.stop())

    asyncio.run(main())
