"""The second promise, first half: a bad release never gets traffic, and the refusal says why.

Each row runs under load, on real processes and on real Docker. What a container engine alone can get
wrong is in :mod:`tests.e2e.test_bad_releases_on_docker`, what needs memory or a database in
:mod:`tests.e2e.test_bad_releases_in_need`, what turns bad later in
:mod:`tests.e2e.test_bad_releases_under_traffic`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e.bad_releases import (
    PATIENCE,
    Street,
    base,
    begin,
    instance,
    refused,
    refused_in_time,
    under_load,
    with_policy,
)
from tests.e2e.conftest import Build
from tests.e2e.test_no_request_fails import unharmed
from tests.support.house import House, Refused, two_colors
from tests.support.ports import free_port
from tests.support.waiting import until


@pytest.fixture(scope="module")
def street(request: pytest.FixtureRequest) -> Iterator[Street]:
    houses = Street(lambda: str(request.getfixturevalue("stocked").url))
    yield houses
    houses.close()


@dataclass(frozen=True)
class Bad:
    """What is wrong with a release, what the refusal must say, and the start deadlines to try."""

    environment: Mapping[str, str]
    code: str
    words: tuple[str, ...] = field(default=())
    patience: tuple[float, ...] = PATIENCE


NEVER = "never_healthy"
BAD = {
    "exits at start": Bad(
        {"EXIT_AT_START": "3"},
        "crash_loop|instance_exited",
        ("exit code 3", "log: ends at start with 3"),
        (60.0,),
    ),
    "exits after a second, never well": Bad(
        {"WARM_UP": "99", "EXIT_AFTER": "1", "EXIT_CODE": "5"},
        "crash_loop",
        ("exit code 5", "keeps ending"),
        (60.0,),
    ),
    "never listens": Bad({"NEVER_LISTEN": "1"}, NEVER, ("0 of 1", "/ping: connection refused")),
    "listens on the wrong port": Bad(
        {"LISTEN_ON": str(free_port())}, NEVER, ("connection refused", "log: version 0.0.2 listens on")
    ),
    "ping answers 500": Bad({"FAIL_PING": "500"}, NEVER, ("http://", "/ping: status 500 'sick")),
    "ping redirects to a login page": Bad({"REDIRECT_PING": "/login"}, NEVER, ("/ping: status 302",)),
    "ping hangs": Bad({"HANG_PING": "1"}, NEVER, ("/ping: timed out after 0.5 s",)),
    "ping answers after 10 s": Bad({"PING_DELAY": "10"}, NEVER, ("/ping: timed out after 0.5 s",)),
    "healthy once, then 500": Bad(
        {"HEALTHY_PINGS": "1"}, f"{NEVER}|balancer_check_failed", ("/ping: status 500 'no longer well",)
    ),
    "starts too late": Bad({"START_DELAY": "30"}, NEVER, ("connection refused",)),
}


AS_ON_PROCESSES = ("ping answers after 10 s", "starts too late")
"""What takes its whole deadline to show, and is the same code on either runtime as another row."""


@pytest.mark.parametrize(
    ("case", "runtime"),
    [(case, "process") for case in BAD] + [(case, "docker") for case in BAD if case not in AS_ON_PROCESSES],
)
def test_it_never_gets_traffic(case: str, runtime: str, street: Street) -> None:
    bad = BAD[case]

    async def main(house: House) -> None:
        async def attempt(deadline: float) -> Mapping[str, Any]:
            await house.up(with_policy(base(house), start_deadline=deadline))
            async with under_load(house):
                return await house.final(await begin(house, bad.environment))

        await refused_in_time(attempt, bad.code, *bad.words, patience=bad.patience)

    with street.house(runtime) as house:
        asyncio.run(main(house))


@pytest.mark.parametrize("runtime", ["process", "docker"])
def test_one_of_two_replicas_is_sick(runtime: str, street: Street) -> None:
    async def main(house: House) -> None:
        async def attempt(deadline: float) -> Mapping[str, Any]:
            await house.up(with_policy(base(house, replicas=2), start_deadline=deadline))
            await until(lambda: _in(house, 2), timeout=20.0)
            async with under_load(house):
                id = await begin(house, {"FAIL_PING": "500"})
                begun = await house.in_phase(id, "proving")
                await house.tell(instance(begun), "heal")
                return await house.final(id)

        words = ("1 of 2 instances healthy", "status 500 'sick")
        ended = await refused_in_time(attempt, NEVER, *words, patience=(12.0, 40.0))
        refused(ended, NEVER, instance(ended, 2))
        await house.up(base(house))
        await until(lambda: _in(house, 1), timeout=20.0)

    with street.house(runtime) as house:
        asyncio.run(main(house))


async def _in(house: House, count: int) -> bool:
    found = await house.get("/v1/instances?service=web")
    return [i["rotation"] for i in found] == ["in"] * count


def test_a_switch_to_a_dead_color_is_refused(build: Build) -> None:
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
