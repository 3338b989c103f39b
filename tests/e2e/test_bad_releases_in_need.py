"""Releases that need what they do not get: more memory than their limit, a database that is down, a program
that is not there; and one that only needs time, which it gets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.api.models import dump
from bluegreen.domain.check import TCP_CHECK
from bluegreen.domain.spec import Limits, Link, ProcessSpec, RestartPolicy, ServiceSpec
from bluegreen.domain.stack import StackSpec
from tests.e2e.bad_releases import base, begin, live, refused, under_load, with_policy
from tests.e2e.conftest import Build
from tests.e2e.test_no_request_fails import unharmed
from tests.support.house import CHECK, House

MEMORY = Limits(mem_limit=64 << 20, memswap_limit=64 << 20)
DB = ServiceSpec(
    name="db",
    image="mongo:latest",
    process=ProcessSpec(command=("{python}", "-m", "bluegreen.sample.db", "--port", "{port}")),
    port=27017,
    check=TCP_CHECK,
    restart=RestartPolicy.ALWAYS,
)
PATIENT = {"start_deadline": 60.0}
"""For what ends by itself and says why: it may take its time on a busy machine."""
LINK = Link(service="db", alias="db")


def with_db(house: House, db: ServiceSpec = DB) -> StackSpec:
    """``web`` as it is live, and a database; whoever wants to reach it has a link to it."""
    alone = base(house, links=(LINK,), depends_on=("db",))
    return replace(alone, services=(db, *alone.services))


async def begun(house: House, stack: StackSpec) -> dict[str, str]:
    """Ask for a stack; return the rollouts that begin, by service."""
    answer = await house.request("PUT", f"/v1/stacks/{stack.name}", dump(stack))
    assert not answer.is_error, answer.text
    return {rollout["service"]: rollout["id"] for rollout in answer.json()["rollouts"]}


def test_a_slow_start_within_the_start_period_gets_in(build: Build) -> None:
    """Refused connections first, then answers of 503: for longer than the start deadline."""
    patient = replace(CHECK, start_period=30.0)

    async def main() -> None:
        async with build() as house:
            await live(house, with_policy(base(house, check=patient), start_deadline=1.0))
            async with house.users() as load:
                ended = await house.settled(await begin(house, {"START_DELAY": "1", "WARM_UP": "2.5"}))
                assert ended["outcome"]["exit_code"] == 0, ended
                assert await house.version() == "0.0.2"
                unharmed(await load.stop())

    asyncio.run(main())


def test_a_process_that_needs_more_memory_than_its_limit_is_named() -> None:
    """The same on Docker is in :mod:`tests.e2e.test_docker_limits`."""

    async def main() -> None:
        async with House.standing() as house:
            await house.up(with_policy(base(house, limits=MEMORY), **PATIENT))
            async with under_load(house):
                ended = await house.final(await begin(house, {"ALLOCATE": "200"}))
                refused(ended, "out_of_memory", "more memory than its limit", "exit code 137", "mem_limit")

    asyncio.run(main())


def test_a_database_that_is_down_is_named(build: Build) -> None:
    async def main() -> None:
        async with build() as house:
            await live(house, with_db(house))
            async with under_load(house):
                await house.post("/v1/services/db/stop", {"force": True})
                ended = await house.final(await begin(house, {"NEEDS": "db"}))
                # What /ping itself says differs: in a container even the name is gone, and asking hangs.
                refused(ended, "never_healthy", "db: shop-db-r1-1 exited", "last probe: http://")

    asyncio.run(main())


def test_nothing_starts_before_the_database_that_fails(build: Build) -> None:
    async def main() -> None:
        broken = replace(
            DB, command=("false",), process=ProcessSpec(command=("false",)), restart=RestartPolicy.NO
        )
        async with build() as house:
            await live(house, base(house))
            async with under_load(house):
                rollouts = await begun(house, with_policy(with_db(house, broken), **PATIENT))
                failed = await house.final(rollouts["db"])
                assert failed["reason"]["code"] == "instance_exited", failed["reason"]
                refused(await house.final(rollouts["web"]), "dependency_failed", "db", "did not come up")

    asyncio.run(main())


@pytest.mark.parametrize("how", ["missing", "not executable", "no program at all"])
def test_a_program_that_cannot_be_run_is_named(how: str, tmp_path: Path) -> None:
    """On Docker: :mod:`tests.e2e.test_docker_refusals`, :mod:`tests.e2e.test_bad_releases_on_docker`."""
    program = tmp_path / "web"
    expected: dict[str, Callable[[], tuple[str, ...]]] = {
        "missing": lambda: ("command_missing", "cannot be found"),
        "not executable": lambda: ("command_missing", "not executable"),
        "no program at all": lambda: ("instance_exited|crash_loop", "exit code"),
    }
    if how != "missing":
        program.write_bytes(b"\x7fELF, but of no machine\n")
        program.chmod(0o644 if how == "not executable" else 0o755)

    async def main() -> None:
        async with House.standing() as house:
            await live(house, base(house))
            async with under_load(house):
                wrong = base(house, process=ProcessSpec(command=(str(program),)))
                rollouts = await begun(house, with_policy(wrong, **PATIENT))
                refused(await house.final(rollouts["web"]), *expected[how](), str(program))

    asyncio.run(main())
