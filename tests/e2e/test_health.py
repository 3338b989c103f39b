"""What is sick gets no traffic, what hangs is restarted, and a shared cause takes nothing down: on both
runtimes, under load."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bluegreen.domain.agent import COMPAT_CHECK, Agent, AgentMode
from bluegreen.domain.spec import ContainerHealth
from tests.e2e.conftest import Build
from tests.e2e.sickness import (
    FIRST,
    PAIR,
    PATIENT,
    QUICK,
    SECOND,
    goes_on,
    happened,
    in_order,
    lives,
    only,
    seen,
    stands,
    told,
)
from tests.e2e.test_no_request_fails import unharmed
from tests.support.docker_engine import DockerEngine
from tests.support.house import House, managed
from tests.support.waiting import until


def test_what_hangs_altogether_is_restarted_and_nobody_notices(build: Build) -> None:
    async def main() -> None:
        async with build() as house:
            await house.up(managed(house.port, replicas=2, stop_grace=1.0, agent=QUICK))
            before = await lives(house)
            async with house.users(**PATIENT) as load:
                await house.tell(FIRST, "freeze")  # not even SIGTERM ends it
                await stands(house, "out", FIRST)
                await until(lambda: born_anew(house, before[FIRST]), timeout=30.0)
                await stands(house, "in", *PAIR)
                unharmed(await load.stop())
            after = await seen(house)
            assert after[SECOND]["started_at"] == before[SECOND][0]
            (record,) = [i for i in (await house.get("/v1/status"))["instances"] if i["name"] == FIRST]
            assert (record["rotation"], record["why"], record["state"]) == ("in", "healthy", "running")
            assert record["since"] >= record["started_at"] > before[FIRST][0]
            events = await told(house, FIRST)
            kinds = [kind for kind, _ in events]
            # Who finds it first, the agent or the balancer, is a matter of their times.
            in_order(kinds, "instance.hung", "instance.stopped", "instance.restarted", "instance.in")
            in_order(kinds, "instance.out", "instance.stopped")
            assert kinds.count("instance.hung") == 1
            why = next(message for kind, message in events if kind == "instance.hung")
            assert f"{FIRST} is to be restarted: it hangs" in why

            shown = await house.cli("events", "--service", "web")
            assert shown.code == 0, shown
            words = ("is to be restarted: it hangs", "is stopped, to be started again", "runs anew")
            places = [shown.out.index(f"{FIRST} {word}") for word in words]
            assert places == sorted(places), shown.out

    asyncio.run(main())


async def born_anew(house: House, before: tuple[float, int]) -> bool:
    one = (await seen(house)).get(FIRST)
    return one is not None and one["state"] == "running" and one["started_at"] > before[0]


def test_what_says_that_it_is_not_ready_is_left_alone(build: Build) -> None:
    async def main() -> None:
        async with build() as house:
            await house.up(managed(house.port, replicas=2, agent=QUICK))
            before = await lives(house)
            async with house.users(slow_path="/slow?seconds=0.3") as load:
                await house.tell(FIRST, "fail-ping&code=503")
                await stands(house, "out", FIRST, why="503")
                await goes_on(load, 300)
                listed = await house.cli("ps", "--service", "web")
                assert "503" in listed.out, listed
                assert await lives(house) == before
                await house.tell(FIRST, "heal")
                await stands(house, "in", *PAIR)
                unharmed(await load.stop())
            assert await lives(house) == before
            assert "instance.hung" not in [kind for kind, _ in await told(house)]

    asyncio.run(main())


def test_a_shared_cause_takes_nothing_down_and_is_told_once(build: Build) -> None:
    async def main() -> None:
        async with build() as house:
            await house.up(managed(house.port, replicas=2, agent=QUICK))
            before = await lives(house)
            async with house.users(slow_path="/slow?seconds=0.3") as load:
                for name in PAIR:
                    await house.tell(name, "fail-ping")
                await until(lambda: alarmed(house), timeout=20.0)
                await goes_on(load, 300)
                shown = await house.cli("status")
                assert "web" in shown.err + shown.out
                for name in PAIR:
                    await house.tell(name, "heal")
                await stands(house, "in", *PAIR, why="healthy")
                unharmed(await load.stop())
            assert await lives(house) == before
            assert [kind for kind, _ in await told(house)].count("service.alarm") == 1

    asyncio.run(main())


async def alarmed(house: House) -> bool:
    return "service.alarm" in [kind for kind, _ in await told(house)]


def test_what_fails_users_is_out_although_its_ping_is_fine(build: Build) -> None:
    """Those who met it got its 5xx, as many as it takes to be sure; nobody else noticed anything."""

    async def main() -> None:
        async with build() as house:
            await house.up(managed(house.port, replicas=2, agent=QUICK))
            before = await lives(house)
            async with house.users(slow_path="/slow?seconds=0.3") as load:
                await house.tell(FIRST, "fail")
                await until(lambda: happened(house, "instance.out"), timeout=20.0)
                await house.tell(FIRST, "heal")
                await stands(house, "in", *PAIR)
                result = await load.stop()
            failed = only(result, "bad_status_5xx")
            print(f"{failed} of {result.requests} saw a 5xx")
            assert failed >= 10
            assert failed < result.requests / 4
            assert await lives(house) == before

    asyncio.run(main())


@pytest.mark.docker
def test_docker_says_who_is_sick(stocked: DockerEngine) -> None:
    sick = "/tmp/sick"
    often = ContainerHealth(test=("CMD-SHELL", f"test ! -e {sick}"), interval=0.3, timeout=10.0, retries=2)

    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await house.up(managed(house.port, replicas=2, health=often, agent=QUICK))
            before = await lives(house)
            async with house.users(slow_path="/slow?seconds=0.3") as load:
                await asyncio.to_thread(stocked.docker, "exec", FIRST, "touch", sick)
                await stands(house, "out", FIRST, why="the runtime's own health check fails")
                await asyncio.to_thread(stocked.docker, "exec", FIRST, "rm", sick)
                await stands(house, "in", *PAIR)
                unharmed(await load.stop())
            assert await lives(house) == before

    asyncio.run(main())


def test_the_agent_of_old_ends_what_fails_once_and_it_comes_back(build: Build) -> None:
    compat = Agent(
        mode=AgentMode.COMPAT,
        check=replace(COMPAT_CHECK, interval=0.5, timeout=1.0, connect_timeout=1.0, start_period=0.5),
    )

    async def main() -> None:
        async with build() as house:
            await house.up(managed(house.port, replicas=2, agent=compat))
            before = await lives(house)
            async with house.users(post=0, slow_path="/slow?seconds=0.3") as load:
                await house.tell(FIRST, "fail-ping")
                await until(lambda: born_anew(house, before[FIRST]), timeout=30.0)
                await stands(house, "in", *PAIR)
                unharmed(await load.stop())
            assert (await lives(house))[SECOND] == before[SECOND]
            assert any(f"{FIRST} gets TERM" in message for _, message in await told(house, FIRST))

    asyncio.run(main())
