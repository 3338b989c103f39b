"""What people and fate do to containers behind the controller's back, under load: no idempotent request
fails, and what is wanted runs again."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.test_no_request_fails import unharmed
from tests.support.docker_engine import DockerEngine
from tests.support.house import House, managed
from tests.support.waiting import until

pytestmark = pytest.mark.docker

VICTIM = "shop-web-r1-1"


def incarnation(engine: DockerEngine, name: str) -> tuple[str, str]:
    """Return what changes whenever the process behind a container is a new one."""
    found = engine.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", name, check=False)
    id, _, started = found.partition(" ")
    return id, started


async def rotation(house: House, service: str = "web") -> dict[str, str]:
    found = await house.get(f"/v1/instances?service={service}")
    return {i["name"]: i["rotation"] for i in found}


@pytest.mark.parametrize("words", [("kill", "-s", "KILL"), ("rm", "-f"), ("stop", "-t", "2")], ids=" ".join)
def test_an_instance_that_somebody_ends_is_brought_back(
    stocked: DockerEngine, words: tuple[str, ...]
) -> None:
    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await house.up(managed(house.port, replicas=2))
            before = incarnation(stocked, VICTIM)
            async with house.users(post=0, slow_path="/slow?seconds=0.5") as load:
                await asyncio.to_thread(stocked.docker, *words, VICTIM)

                async def healed() -> bool:
                    back = incarnation(stocked, VICTIM) not in (before, ("", ""))
                    return back and list((await rotation(house)).values()) == ["in", "in"]

                await until(healed, timeout=30.0)
                unharmed(await load.stop())

    asyncio.run(main())


def test_an_instance_that_is_drained_first_may_be_ended_without_any_loss(stocked: DockerEngine) -> None:
    """The way to restart one by hand that spares POSTs too, which nobody may send a second time."""

    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await house.up(managed(house.port, replicas=2))
            async with house.users(slow_path="/slow?seconds=0.5") as load:
                before = incarnation(stocked, VICTIM)
                assert (await house.cli("drain", VICTIM, "--why", "new kernel")).code == 0

                async def idle() -> bool:
                    found = await house.get("/v1/instances?service=web")
                    return [i["in_flight"] for i in found if i["name"] == VICTIM] == [0]

                await until(idle, timeout=10.0)
                await asyncio.to_thread(stocked.docker, "restart", VICTIM)
                assert (await rotation(house))[VICTIM] == "out"
                assert (await house.cli("ready", VICTIM)).code == 0

                async def back() -> bool:
                    return list((await rotation(house)).values()) == ["in", "in"]

                await until(back, timeout=20.0)
                assert incarnation(stocked, VICTIM) != before
                unharmed(await load.stop())

    asyncio.run(main())


def test_a_paused_instance_is_out_of_rotation_until_it_goes_on(stocked: DockerEngine) -> None:
    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await house.up(managed(house.port, replicas=2))
            async with house.users() as load:
                stocked.docker("pause", VICTIM)

                async def out() -> bool:
                    return (await rotation(house))[VICTIM] == "out"

                await until(out, timeout=5.0)
                (told,) = [i for i in await house.get("/v1/instances?service=web") if i["name"] == VICTIM]
                assert (told["state"], told["why"]) == ("paused", "paused")
                stocked.docker("unpause", VICTIM)

                async def back() -> bool:
                    return list((await rotation(house)).values()) == ["in", "in"]

                await until(back, timeout=20.0)
                unharmed(await load.stop())

    asyncio.run(main())


def test_every_instance_dies_at_once_and_service_comes_back(stocked: DockerEngine) -> None:
    """Nothing can serve meanwhile; the promise is that it is served again without anybody's help."""

    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await house.up(managed(house.port, replicas=2))
            names = ("shop-web-r1-1", "shop-web-r1-2")
            stocked.docker("rm", "-f", *names)

            async def back() -> bool:
                return await rotation(house) == dict.fromkeys(names, "in")

            await until(back, timeout=30.0)
            async with house.users() as load:
                unharmed(await load.stop())
            events = [e["message"] for e in await house.get("/v1/events?limit=200")]
            assert any(VICTIM in message and "ended" in message for message in events), events

    asyncio.run(main())
