"""SIGKILL of the controller at any moment of a deploy on Docker: the next one ends it, nobody notices."""

from __future__ import annotations

import asyncio

import pytest

from bluegreen.domain.policy import RolloutPolicy
from tests.e2e.test_crashes import passes
from tests.e2e.test_no_request_fails import unharmed
from tests.support.docker_engine import DockerEngine
from tests.support.house import APP, House, managed
from tests.support.waiting import until

pytestmark = pytest.mark.docker

QUICK = RolloutPolicy(start_deadline=30.0, bake=0.0, drain=10.0)
MOMENTS = (0.0, 0.1, 0.3, 0.6, 1.0)
"""Seconds after the command: from the image over create, start, proof and switch to the old one's end."""


@pytest.mark.timeout(240)
def test_the_controller_is_killed_at_any_moment_of_a_docker_deploy(stocked: DockerEngine) -> None:
    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await house.up(managed(house.port, replicas=2, rollout=QUICK, stop_grace=3.0))
            async with house.users(duration=200.0, slow_path="/slow?seconds=0.3") as load:
                for turn, moment in enumerate(MOMENTS):
                    tag = ("0.0.2", "0.0.1")[turn % 2]
                    began = await house.post("/v1/services/web/deploy", {"image": f"{APP}:{tag}"})
                    id = began["rollout"]["id"]
                    await passes(moment)
                    house.kill()
                    await house.start()
                    ended = await house.final(id)  # it is known: what was answered had been recorded
                    assert ended["phase"] == "done", ended
                    assert await house.version() == tag
                unharmed(await load.stop())

            async def tidy() -> bool:
                listed = stocked.docker("ps", "--all", "--filter", "label=bluegreen.stack=shop", "--quiet")
                return len(listed.split()) == 2

            await until(tidy, timeout=20.0)

    asyncio.run(main())
