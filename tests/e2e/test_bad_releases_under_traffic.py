"""The second promise, second half: a release that turns bad once it has the traffic loses it at once.

Requests that a dying instance held cannot all be saved; how many were lost and how long it took is
printed. What is required: the way back is taken by itself, nobody notices anything after it, and the
outcome says why.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.load import LoadProcess
from tests.e2e.bad_releases import POLICY, base, begin, instance, only_the_first, under_load
from tests.e2e.conftest import Build
from tests.e2e.test_no_request_fails import unharmed
from tests.support.house import House
from tests.support.waiting import until


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


async def served_by_the_first(load: LoadProcess) -> float:
    """Return the moment at which users get answers of release 1 again."""
    before = (await load.progress()).versions.get("0.0.1", 0)

    async def again() -> bool:
        return (await load.progress()).versions.get("0.0.1", 0) > before + 5

    await until(again, timeout=20.0)
    return time.monotonic()


def test_it_answers_500_after_a_while(build: Build) -> None:
    """Nothing is lost: the application still answers users while its health check fails."""

    async def main() -> None:
        async with build() as house:
            await house.up(base(house))
            async with house.users() as load:
                ended = await house.final(await begin(house, {"HEALTHY_PINGS": "40"}))
                reverted(ended, "went_bad", "status 500 'no longer well")
                assert await house.version() == "0.0.1"
                unharmed(await load.stop())

    asyncio.run(main())


def test_it_exits_a_second_after_it_was_well(build: Build) -> None:
    async def main() -> None:
        async with build() as house:
            await house.up(base(house))
            async with house.users() as load:
                ended = await house.final(await begin(house, {"EXIT_AFTER": "1.5", "EXIT_CODE": "5"}))
                reverted(ended, "went_bad|crash_loop", instance(ended), "exit code 5")
                lost = await load.stop()
            print(f"lost: {lost.failed} of {lost.requests}")
            await back_on_the_first(house)

    asyncio.run(main())


@pytest.mark.parametrize("phase", ["baking", "draining"])
def test_it_dies_while_the_way_back_is_open(phase: str, build: Build) -> None:
    """Draining: requests on the old color outlast every deadline, so that it is still there."""
    policy = {"bake": 60.0, "drain": 5.0} if phase == "baking" else {"bake": 0.2, "drain": 2.0}

    async def main() -> None:
        async with build() as house:
            await house.up(base(house, rollout=replace(POLICY, **policy)))
            slow = 0.3 if phase == "baking" else 9.0
            async with house.users(slow_path=f"/slow?seconds={slow}") as load:
                id = await begin(house, {})
                reached = await house.in_phase(id, phase)
                assert await house.version() == "0.0.2"
                died = time.monotonic()
                await house.tell(instance(reached), "exit&code=7")
                back = await served_by_the_first(load)
                ended = await house.final(id)
                reverted(ended, "went_bad|crash_loop", instance(ended))
                lost = await load.stop()
            print(f"{phase}: back after {back - died:.2f} s, lost: {lost.failed} of {lost.requests}")
            await back_on_the_first(house)

    asyncio.run(main())
