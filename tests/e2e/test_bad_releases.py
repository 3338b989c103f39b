"""The second promise: a bad release never gets, or at once loses, its traffic; and says why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from bluegreen.domain.policy import RolloutPolicy
from tests.e2e.conftest import Build
from tests.e2e.test_no_request_fails import unharmed
from tests.support.house import managed
from tests.support.waiting import until


@dataclass(frozen=True)
class Bad:
    """A release that must not get in: what is wrong with it, and what the message must say."""

    environment: dict[str, str]
    code: str
    words: tuple[str, ...] = field(default=())


BAD = {
    "exits at start": Bad({"EXIT_AT_START": "3"}, "crash_loop|instance_exited", ("exit code 3",)),
    "never listens": Bad({"NEVER_LISTEN": "1"}, "never_healthy", ("refused",)),
    "ping answers 500": Bad({"FAIL_PING": "500"}, "never_healthy", ("status 500",)),
    "ping hangs": Bad({"HANG_PING": "1"}, "never_healthy", ("timed out",)),
    "starts too late": Bad({"START_DELAY": "30"}, "never_healthy", ("refused",)),
}


BY_WAITING = ("never listens", "starts too late")
"""What takes its whole deadline to show, and is the same code on either runtime."""


@pytest.mark.parametrize(
    ("case", "runtime"),
    [(case, "process") for case in BAD] + [(case, "docker") for case in BAD if case not in BY_WAITING],
)
def test_it_never_gets_traffic(case: str, runtime: str, build_on: Callable[[str], Build]) -> None:
    bad, build = BAD[case], build_on(runtime)
    policy = RolloutPolicy(start_deadline=3.0, bake=60.0, drain=5.0)

    async def main() -> None:
        async with build() as house:
            await house.up(managed(house.port, rollout=policy))
            async with house.users() as load:
                began = await house.post(
                    "/v1/services/web/deploy",
                    {"image": "tactivos/devops-challenge:0.0.2", "environment": bad.environment},
                )
                ended = await house.final(began["rollout"]["id"])
                assert ended["phase"] == "aborted", ended
                assert ended["outcome"]["exit_code"] == 1
                assert ended["reason"]["code"] in bad.code.split("|"), ended["reason"]
                told = "\n".join(ended["outcome"]["reason"])
                assert all(word in told for word in bad.words), told
                assert await house.version() == "0.0.1"
                assert {i["release"] for i in await house.get("/v1/instances")} == {1}
                result = await load.stop()
                unharmed(result)
                assert set(result.versions) == {"0.0.1"}

    asyncio.run(main())


def test_one_that_turns_bad_after_the_switch_loses_its_traffic(build: Build) -> None:
    async def main() -> None:
        async with build() as house:
            await house.up(managed(house.port))
            async with house.users() as load:
                began = await house.post(
                    "/v1/services/web/deploy",
                    {"image": "tactivos/devops-challenge:0.0.2", "environment": {"HEALTHY_PINGS": "40"}},
                )
                ended = await house.final(began["rollout"]["id"])
                assert ended["phase"] == "reverted", ended
                assert ended["outcome"]["exit_code"] == 3
                assert ended["reason"]["code"] == "went_bad"
                assert await house.version() == "0.0.1"
                unharmed(await load.stop())

    asyncio.run(main())


def test_a_switch_to_a_dead_color_is_refused(build: Build) -> None:
    from tests.support.house import Refused, two_colors

    async def main() -> None:
        async with build() as house:
            await house.up(two_colors(house.port))
            async with house.users() as load:
                await house.post("/v1/services/webx-blue/stop")

                async def stopped() -> bool:
                    found = await house.get("/v1/instances?service=webx-blue")
                    return all(i["state"] == "exited" for i in found)

                await until(stopped, timeout=30.0)
                with pytest.raises(Refused) as refused:
                    await house.switch("lbx", "webx-blue")
                assert refused.value.document["code"] == "target_absent"
                assert "service start webx-blue" in refused.value.document["hint"]
                assert await house.version() == "0.0.1"
                unharmed(await load.stop())

    asyncio.run(main())
