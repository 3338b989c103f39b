"""The second promise, second half: a release that turns bad once it has the traffic loses it at once.

Requests that a dying instance held cannot all be saved; how many were lost and how long it took is
printed. What is required: the way back is taken by itself, nobody notices anything after it, and the
outcome says why.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.e2e.bad_releases import (
    Street,
    base,
    begin,
    instance,
    only_the_first,
    refused,
    under_load,
    with_policy,
)
from tests.e2e.test_no_request_fails import unharmed
from tests.support.house import House
from tests.support.waiting import until

PATIENT = {"start_deadline": 20.0}
"""What gets in here may take its time on a busy machine."""


def reverted(ended: Mapping[str, Any], code: str, *words: str) -> None:
    """Require that a rollout went back by itself, for this reason, told in these words."""
    assert ended["phase"] == "reverted", ended
    assert ended["outcome"]["exit_code"] == 3
    assert ended["reason"]["code"] in code.split("|"), ended["reason"]
    told = "\n".join(ended["outcome"]["reason"])
    assert [word for word in words if word not in told] == [], told


async def back_on_the_first(house: House) -> None:
    """Require that users are served by release 1 again, as if nothing had been."""
    assert await house.version() == "0.0.1"
    await until(lambda: only_the_first(house), timeout=20.0)
    async with under_load(house):
        pass


async def a_new_user_gets_the_first(house: House) -> bool:
    try:
        return await house.version() == "0.0.1"
    except (httpx.HTTPError, KeyError):
        return False  # the balancer's own 503 has no version


@pytest.fixture(scope="module")
def street(request: pytest.FixtureRequest) -> Iterator[Street]:
    houses = Street(lambda: str(request.getfixturevalue("stocked").url))
    yield houses
    houses.close()


RUNTIMES = pytest.mark.parametrize("runtime", ["process", "docker"])


@RUNTIMES
def test_it_answers_500_after_a_while(runtime: str, street: Street) -> None:
    """Nothing is lost: the application still answers users while its health check fails."""

    async def main(house: House) -> None:
        await house.up(with_policy(base(house), **PATIENT))
        async with house.users() as load:
            ended = await house.final(await begin(house, {"HEALTHY_PINGS": "40"}))
            reverted(ended, "went_bad", "status 500 'no longer well")
            assert await house.version() == "0.0.1"
            unharmed(await load.stop())

    with street.house(runtime) as house:
        asyncio.run(main(house))


@RUNTIMES
def test_it_exits_a_second_after_it_was_well(runtime: str, street: Street) -> None:
    """On a busy machine it may end before it has proved itself: then it never gets the traffic."""

    async def main(house: House) -> None:
        await house.up(with_policy(base(house), **PATIENT))
        async with house.users() as load:
            ended = await house.final(await begin(house, {"EXIT_AFTER": "1.5", "EXIT_CODE": "5"}))
            words = (instance(ended), "exit code 5", "log: version 0.0.2")
            if ended["phase"] == "aborted":
                refused(ended, "crash_loop", *words)
            else:
                reverted(ended, "went_bad|crash_loop", *words)
            lost = await load.stop()
        print(f"{runtime}: lost {lost.failed} of {lost.requests}")
        await back_on_the_first(house)

    with street.house(runtime) as house:
        asyncio.run(main(house))


@RUNTIMES
@pytest.mark.parametrize("phase", ["baking", "draining"])
def test_it_dies_while_the_way_back_is_open(phase: str, runtime: str, street: Street) -> None:
    """Draining: requests on the old color outlast every deadline, so that it is still there."""
    policy = {"bake": 60.0, "drain": 5.0} if phase == "baking" else {"bake": 0.2, "drain": 4.0}
    slow = 0.3 if phase == "baking" else 12.0

    async def main(house: House) -> None:
        await house.up(with_policy(base(house), **PATIENT, **policy))
        async with house.users(slow_path=f"/slow?seconds={slow}") as load:
            id = await begin(house, {})
            reached = await house.in_phase(id, phase)
            assert await house.version() == "0.0.2"
            await house.tell(instance(reached), "exit&code=7")
            died = time.monotonic()
            await until(lambda: a_new_user_gets_the_first(house), timeout=20.0)
            back = time.monotonic() - died
            ended = await house.final(id)
            reverted(ended, "went_bad|crash_loop", instance(ended))
            lost = await load.stop()
        print(f"{runtime}, {phase}: back after {back:.2f} s, lost {lost.failed} of {lost.requests}")
        await back_on_the_first(house)

    with street.house(runtime) as house:
        asyncio.run(main(house))
