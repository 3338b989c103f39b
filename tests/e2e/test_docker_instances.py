"""What people and fate do to containers behind the controller's back, under load: no idempotent request
fails, and what is wanted runs again."""

from __future__ import annotations

import asyncio

import pytest

from bluegreen.domain.spec import Limits
from tests.e2e.test_no_request_fails import unharmed
from tests.support.docker_engine import DockerEngine
from tests.support.house import APP, House, managed
from tests.support.images import build
from tests.support.waiting import until

pytestmark = pytest.mark.docker

PAIR = ("shop-web-r1-1", "shop-web-r1-2")
VICTIM, SQUATTER, NET = PAIR[0], "squatter", "bluegreen_shop"


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


async def out(house: House, name: str = VICTIM) -> None:
    async def left_out() -> bool:
        return (await rotation(house)).get(name) != "in"

    await until(left_out, timeout=10.0)


def address(engine: DockerEngine, name: str) -> str:
    return engine.docker(
        "inspect", "--format", f'{{{{(index .NetworkSettings.Networks "{NET}").IPAddress}}}}', name
    )


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


def test_an_instance_that_docker_calls_unhealthy_is_out_of_rotation_until_it_is_well(
    stocked: DockerEngine,
) -> None:
    check = "HEALTHCHECK --interval=250ms --timeout=5s --retries=1 CMD test ! -e /tmp/sick"
    build(stocked, f"{APP}:checked", f"FROM {APP}:0.0.1\n{check}\n")

    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await house.up(managed(house.port, replicas=2, tag="checked"))
            before = incarnation(stocked, VICTIM)
            async with house.users(slow_path="/slow?seconds=0.5") as load:
                await asyncio.to_thread(stocked.docker, "exec", VICTIM, "touch", "/tmp/sick")
                await out(house)
                (told,) = [i for i in await house.get("/v1/instances?service=web") if i["name"] == VICTIM]
                assert told["why"] == "the runtime's own health check fails"
                await asyncio.to_thread(stocked.docker, "exec", VICTIM, "rm", "/tmp/sick")
                await healed(house)
                unharmed(await load.stop())
            assert incarnation(stocked, VICTIM) == before

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


def test_an_instance_whose_network_is_taken_gets_it_back(stocked: DockerEngine) -> None:
    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await house.up(managed(house.port, replicas=2))
            before = incarnation(stocked, VICTIM)
            async with house.users(post=0, slow=0) as load:
                await asyncio.to_thread(stocked.docker, "network", "disconnect", NET, VICTIM)
                await until(lambda: address(stocked, VICTIM), timeout=10.0)
                await healed(house)
                unharmed(await load.stop())
            assert incarnation(stocked, VICTIM) == before

    asyncio.run(main())


def move(engine: DockerEngine, leave: tuple[str, ...], enter: tuple[str, ...]) -> None:
    """Have another container take the address that the victim gives up in between."""
    engine.docker(*leave)
    engine.docker("run", "-d", "--name", SQUATTER, "--network", NET, f"{APP}:0.0.1", "sleep", "1000")
    engine.docker(*enter)


@pytest.mark.parametrize("how", ["restarted", "reconnected"])
def test_an_instance_at_another_address_is_found_there(stocked: DockerEngine, how: str) -> None:
    """Its former address is that of a stranger, who gets no request."""
    hands = {
        "restarted": (("stop", VICTIM), ("start", VICTIM)),
        "reconnected": (("network", "disconnect", NET, VICTIM), ("network", "connect", NET, VICTIM)),
    }

    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await house.up(managed(house.port, replicas=2))
            before = address(stocked, VICTIM)
            async with house.users(post=0, slow=0) as load:
                # What is in flight on a network that goes away is lost: nothing may be.
                assert (await house.cli("drain", VICTIM)).code == 0
                await until(lambda: _idle(house), timeout=10.0)
                with house.suspended():  # it would put things right in between
                    await asyncio.to_thread(move, stocked, *hands[how])
                try:
                    assert (await house.cli("ready", VICTIM)).code == 0
                    await healed(house)
                    assert address(stocked, VICTIM) != before == address(stocked, SQUATTER)
                    unharmed(await load.stop())
                finally:
                    stocked.docker("rm", "-f", SQUATTER)

    asyncio.run(main())


def test_an_instance_that_is_drained_first_may_be_ended_without_any_loss(stocked: DockerEngine) -> None:
    """The way to restart one by hand that spares POSTs too, which nobody may send a second time."""

    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await house.up(managed(house.port, replicas=2))
            async with house.users(slow_path="/slow?seconds=0.5") as load:
                before = incarnation(stocked, VICTIM)
                assert (await house.cli("drain", VICTIM, "--why", "new kernel")).code == 0

                await until(lambda: _idle(house), timeout=10.0)
                await asyncio.to_thread(stocked.docker, "restart", VICTIM)
                assert (await rotation(house))[VICTIM] == "out"
                assert (await house.cli("ready", VICTIM)).code == 0

                await healed(house)
                assert incarnation(stocked, VICTIM) != before
                unharmed(await load.stop())

    asyncio.run(main())


def test_a_paused_instance_is_out_of_rotation_until_it_goes_on(stocked: DockerEngine) -> None:
    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await house.up(managed(house.port, replicas=2))
            async with house.users() as load:
                stocked.docker("pause", VICTIM)

                await out(house)
                (told,) = [i for i in await house.get("/v1/instances?service=web") if i["name"] == VICTIM]
                assert (told["state"], told["why"]) == ("paused", "paused")
                stocked.docker("unpause", VICTIM)

                await healed(house)
                unharmed(await load.stop())

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


async def _idle(house: House) -> bool:
    found = await house.get("/v1/instances?service=web")
    return [i["in_flight"] for i in found if i["name"] == VICTIM] == [0]
