"""The third promise: what dies changes nothing for users. SIGKILL of the controller in every phase,
of the balancer, of an instance."""

from __future__ import annotations

import asyncio
import os
import signal

import httpx
import pytest

from bluegreen.domain.policy import RolloutPolicy
from tests.e2e.conftest import Build
from tests.e2e.test_no_request_fails import unharmed
from tests.support.house import House, managed, two_colors
from tests.support.waiting import until

SLOW = RolloutPolicy(start_deadline=30.0, bake=2.0, drain=10.0, shares=(50, 100), step_pause=1.0)
QUICK = RolloutPolicy(start_deadline=30.0, bake=0.0, drain=10.0)


@pytest.mark.parametrize("phase", ["proving", "shifting", "baking", "retiring"])
def test_the_controller_is_killed_in_the_middle_of_a_deploy(phase: str, build: Build) -> None:
    """Whatever phase it dies in, the next controller ends the rollout, and no request is lost."""
    environment = {"START_DELAY": "1.5"} if phase == "proving" else {}

    async def main() -> None:
        async with build() as house:
            spec = managed(house.port, rollout=SLOW, stop_grace=3.0, environment=_stubborn(phase))
            await house.up(spec)
            async with house.users(slow_path="/slow?seconds=2", slow=4) as load:
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


@pytest.mark.timeout(300)
def test_the_controller_is_killed_at_any_moment_of_a_deploy() -> None:
    """The phases that pass in milliseconds as well: eight moments, ever later after the command."""

    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port, rollout=QUICK, stop_grace=2.0))
            async with house.users(duration=250.0, slow_path="/slow?seconds=0.2") as load:
                for turn in range(8):
                    began = await house.post(
                        "/v1/services/web/deploy", {"image": f"tactivos/devops-challenge:0.0.{turn + 2}"}
                    )
                    id = began["rollout"]["id"]
                    await passes(0.04 * turn)
                    house.kill()
                    await house.start()
                    if not await _known(house, id):
                        continue  # it died before the command was recorded: nothing was begun
                    ended = await house.final(id)
                    assert ended["phase"] == "done", ended
                    assert await house.version() == f"0.0.{turn + 2}"
                unharmed(await load.stop())

    asyncio.run(main())


async def passes(seconds: float) -> None:
    """Let time pass: here the moment itself is what is varied, nothing is waited for."""
    loop = asyncio.get_running_loop()
    moment = asyncio.Event()
    loop.call_later(seconds, moment.set)
    await moment.wait()


async def _known(house: House, id: str) -> bool:
    return not (await house.request("GET", f"/v1/rollouts/{id}")).is_error


def test_the_controller_is_killed_while_it_aborts_and_reverts() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(
                managed(house.port, rollout=SLOW, stop_grace=3.0, environment={"IGNORE_TERM": "1"})
            )
            async with house.users() as load:
                began = await house.post("/v1/services/web/deploy", {"environment": {"START_DELAY": "20"}})
                id = began["rollout"]["id"]
                await house.in_phase(id, "proving")
                await house.post(f"/v1/rollouts/{id}/abort")
                house.kill()
                await house.start()
                assert (await house.final(id))["phase"] == "aborted"
                began = await house.post("/v1/services/web/deploy", {"environment": {"START_DELAY": "0"}})
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


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_instance_is_ended_under_load(number: signal.Signals) -> None:
    """Idempotent requests are retried on the other instance; the one that ended is replaced."""

    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port, replicas=2))
            async with house.users(post=0) as load:
                os.kill(house.pids()["shop-web-r1-1"], number)

                async def healed() -> bool:
                    found = await house.get("/v1/instances?service=web")
                    return [i["rotation"] for i in found] == ["in", "in"] and any(
                        i["restarts"] for i in found
                    )

                await until(healed, timeout=20.0)
                unharmed(await load.stop())

    asyncio.run(main())


def test_an_instance_that_is_frozen_is_out_of_rotation_until_it_goes_on() -> None:
    """Nobody tells of a SIGSTOP: it hangs, which the balancer's check finds out."""

    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port, replicas=2))

            async def rotation() -> list[str]:
                return [i["rotation"] for i in await house.get("/v1/instances?service=web")]

            async def out() -> bool:
                return await rotation() == ["out", "in"]

            async def back() -> bool:
                return await rotation() == ["in", "in"]

            async with house.users() as load:
                victim = house.pids()["shop-web-r1-1"]
                os.kill(victim, signal.SIGSTOP)
                await until(out, timeout=20.0)
                os.kill(victim, signal.SIGCONT)
                await until(back, timeout=20.0)
                unharmed(await load.stop())

    asyncio.run(main())
