"""What people and fate do to containers behind the controller's back, under load: no idempotent request
fails, and what is wanted runs again."""

from __future__ import annotations

import asyncio

import pytest

from bluegreen.domain.spec import Limits
from tests.e2e.test_no_request_fails import unharmed
from tests.support.docker_engine import DockerEngine
from tests.support.house import House, managed
from tests.support.waiting import until

pytestmark = pytest.mark.docker

PAIR = ("shop-web-r1-1", "shop-web-r1-2")
VICTIM = PAIR[0]


def incarnation(engine: DockerEngine, name: str) -> tuple[str, str]:
    """Return what changes whenever the process behind a container is a new one."""
    found = engine.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", name, check=False)
    id, _, started = found.partition(" ")
    return id, started


async def rotation(house: House, service: str = "web") -> dict[str, str]:
    found = await house.get(f"/v1/instances?service={service}")
    return {i["name"]: i["rotation"] for i in found}


async def healed(house: House) -> None:
    """Wait until there are again the two instances that are wanted, by their names, in rotation."""

    async def both_in() -> bool:
        return await rotation(house) == dict.fromkeys(PAIR, "in")

    await until(both_in, timeout=30.0)


def others(engine: DockerEngine) -> list[str]:
    """Return the containers of the stack that are not as they were made."""
    found = engine.docker("ps", "--all", "--format", "{{.Names}}", "--filter", "label=bluegreen.stack=shop")
    return sorted(set(found.split()) - set(PAIR))


@pytest.mark.parametrize(
    "words",
    [("kill", "-s", "KILL"), ("rm", "-f"), ("stop", "-t", "2"), ("restart", "-t", "2")],
    ids=" ".join,
)
def test_an_instance_that_somebody_ends_is_brought_back(
    stocked: DockerEngine, words: tuple[str, ...]
) -> None:
    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await house.up(managed(house.port, replicas=2))
            before = incarnation(stocked, VICTIM)
            async with house.users(post=0, slow_path="/slow?seconds=0.5") as load:
                await asyncio.to_thread(stocked.docker, *words, VICTIM)
                await until(lambda: incarnation(stocked, VICTIM) not in (before, ("", "")), timeout=30.0)
                await healed(house)
                unharmed(await load.stop())

    asyncio.run(main())


@pytest.mark.parametrize("how", ["exits", "runs out of memory"])
def test_an_instance_that_ends_by_itself_is_brought_back_and_told(stocked: DockerEngine, how: str) -> None:
    ends = {
        "exits": "kill -TERM 1",
        "runs out of memory": f"echo 1000 > /proc/1/oom_score_adj; python3 -c 'b\"1\" * {256 << 20}'",
    }
    told = {"exits": "ended (exit code 0)", "runs out of memory": "ran out of memory"}

    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await house.up(managed(house.port, replicas=2, limits=Limits(mem_limit=64 << 20)))
            before = incarnation(stocked, VICTIM)
            async with house.users(post=0, slow_path="/slow?seconds=0.5") as load:
                # The container's own first process ends, the Engine is not asked to do anything.
                await asyncio.to_thread(stocked.docker, "exec", VICTIM, "sh", "-c", ends[how], check=False)
                await until(lambda: incarnation(stocked, VICTIM) != before, timeout=30.0)
                await healed(house)
                unharmed(await load.stop())

            async def in_the_history() -> bool:
                events = [e["message"] for e in await house.get("/v1/events?limit=200")]
                return f"{VICTIM} {told[how]}" in events

            await until(in_the_history, timeout=10.0)

    asyncio.run(main())


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_rename_by_hand_costs_no_request_and_leaves_no_double(stocked: DockerEngine, replicas: int) -> None:
    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await house.up(managed(house.port, replicas=replicas))
            before = incarnation(stocked, VICTIM)
            async with house.users(slow_path="/slow?seconds=0.5") as load:
                await asyncio.to_thread(stocked.docker, "rename", VICTIM, "by-hand")

                async def put_right() -> bool:
                    return await rotation(house) == dict.fromkeys(PAIR[:replicas], "in")

                await until(lambda: incarnation(stocked, VICTIM) == before, timeout=10.0)
                await until(put_right, timeout=10.0)
                unharmed(await load.stop())
            assert others(stocked) == []

    asyncio.run(main())


def test_every_instance_dies_at_once_and_service_comes_back(stocked: DockerEngine) -> None:
    """Nothing can serve meanwhile; the promise is that it is served again without anybody's help."""

    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await house.up(managed(house.port, replicas=2))
            stocked.docker("rm", "-f", *PAIR)
            await healed(house)
            async with house.users() as load:
                unharmed(await load.stop())
            events = [e["message"] for e in await house.get("/v1/events?limit=200")]
            assert any(VICTIM in message and "ended" in message for message in events), events

    asyncio.run(main())
