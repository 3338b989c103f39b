"""The third promise: what dies changes nothing for users. SIGKILL of the controller in every phase,
of the balancer, of an instance."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from bluegreen.domain.policy import RolloutPolicy
from tests.e2e.conftest import Build
from tests.e2e.test_no_request_fails import unharmed
from tests.support.house import House, managed, two_colors
from tests.support.waiting import until

SLOW = RolloutPolicy(start_deadline=30.0, bake=4.0, drain=10.0, shares=(50, 100), step_pause=3.0)


@pytest.mark.parametrize("phase", ["proving", "shifting", "baking", "draining", "retiring"])
def test_the_controller_is_killed_in_the_middle_of_a_deploy(phase: str, build: Build) -> None:
    """Whatever phase it dies in, the next controller ends the rollout, and no request is lost."""
    environment = {"START_DELAY": "1.5"} if phase == "proving" else {}

    async def main() -> None:
        async with build() as house:
            stubborn = ("--ignore-term",) if phase == "retiring" else ()
            spec = managed(house.port, *stubborn, rollout=SLOW, stop_grace=3.0, environment=_stubborn(phase))
            await house.up(spec)
            async with house.users(slow_path="/slow?seconds=4", slow=4) as load:
                began = await house.post(
                    "/v1/services/web/deploy",
                    {"image": "tactivos/devops-challenge:0.0.2", "environment": environment},
                )
                id = began["rollout"]["id"]
                await house.in_phase(id, phase)
                house.kill()
                await house.start()
                ended = await house.final(id)
                assert ended["phase"] == "done", ended
                assert await house.version() == "0.0.2"
                unharmed(await load.stop())

    asyncio.run(main())


def _stubborn(phase: str) -> dict[str, str]:
    return {"IGNORE_TERM": "1"} if phase == "retiring" else {}


def test_the_controller_is_killed_while_it_aborts_and_reverts() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(
                managed(house.port, rollout=SLOW, stop_grace=3.0, environment={"IGNORE_TERM": "1"})
            )
            async with house.users() as load:
                began = await house.post("/v1/services/web/deploy", {"environment": {"FAIL_PING": "500"}})
                id = began["rollout"]["id"]
                await house.in_phase(id, "proving")
                await house.post(f"/v1/rollouts/{id}/abort")
                house.kill()
                await house.start()
                assert (await house.final(id))["phase"] == "aborted"
                began = await house.post("/v1/services/web/deploy", {"environment": {"FAIL_PING": ""}})
                id = began["rollout"]["id"]
                await house.in_phase(id, "baking")
                await house.post("/v1/services/web/rollback")
                house.kill()
                await house.start()
                assert (await house.final(id))["phase"] == "reverted"
                assert await house.version() == "0.0.1"
                unharmed(await load.stop())

    asyncio.run(main())


def test_users_are_served_while_no_controller_runs(build: Build) -> None:
    async def main() -> None:
        async with build() as house:
            await house.up(two_colors(house.port))
            async with house.users() as load:
                house.kill()
                before = (await load.progress()).requests

                async def more() -> bool:
                    return (await load.progress()).requests > before + 500

                await until(more, timeout=20.0)
                await house.start()
                assert await house.version() == "0.0.1"
                assert house.stop() == 0
                await house.start()
                unharmed(await load.stop())

    asyncio.run(main())


def test_haproxy_is_killed(build: Build) -> None:
    """It comes back by itself with the same color; what was in flight is the only loss."""

    async def main() -> None:
        async with build() as house:
            await house.up(two_colors(house.port))
            await house.switch("lbx", "webx-blue")
            for process in house.processes("haproxy", "-W"):
                process.kill()

            async def back() -> bool:
                try:
                    return await house.version() == "0.0.2"
                except (httpx.HTTPError, KeyError):
                    return False

            await until(back, timeout=15.0)
            async with house.users() as load:
                rollout = await house.switch("lbx", "webx-green")
                assert rollout["outcome"]["exit_code"] == 0, rollout
                unharmed(await load.stop())

    asyncio.run(main())


def test_an_instance_is_killed_under_load() -> None:
    """Idempotent requests are retried on the other instance; the dead one is replaced."""

    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port, replicas=2))
            async with house.users(post=0) as load:
                house.processes("bluegreen.sample.app")[0].kill()

                async def healed() -> bool:
                    found = await house.get("/v1/instances?service=web")
                    return [i["rotation"] for i in found] == ["in", "in"] and any(
                        i["restarts"] for i in found
                    )

                await until(healed, timeout=20.0)
                unharmed(await load.stop())

    asyncio.run(main())
