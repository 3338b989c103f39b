"""What is done to one of two containers that goes on running, under load: no idempotent request fails, and
the pool follows. One house serves all of these tests: each leaves it as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.e2e.test_docker_instances import VICTIM, healed, incarnation, rotation
from tests.e2e.test_no_request_fails import unharmed
from tests.support.docker_engine import DockerEngine
from tests.support.house import APP, House, managed
from tests.support.images import build
from tests.support.waiting import until

pytestmark = pytest.mark.docker

NET = "bluegreen_shop"
SQUATTERS = [f"squatter-{n}" for n in range(4)]
"""As many as it may take until one is given the address that was given up."""


@pytest.fixture(scope="module")
def pair(stocked: DockerEngine) -> Iterator[House]:
    """Two instances whose image has a HEALTHCHECK, for the tests that leave them as they were."""
    check = "HEALTHCHECK --interval=250ms --timeout=5s --retries=1 CMD test ! -e /tmp/sick"
    build(stocked, f"{APP}:checked", f"FROM {APP}:0.0.1\n{check}\n")
    house = House("docker", stocked.url)

    async def stand() -> None:
        await house.start()
        await house.up(managed(house.port, replicas=2, tag="checked"))

    try:
        asyncio.run(stand())
        yield house
    finally:
        print(house.log()[-5000:])
        asyncio.run(house.close())


def address(engine: DockerEngine, name: str) -> str:
    """Return the address of a container, empty while it has no network."""
    shown = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return engine.docker("inspect", "--format", shown, name)


def move(engine: DockerEngine, leave: tuple[str, ...], enter: tuple[str, ...]) -> None:
    """Have another container take the address that the victim gives up in between."""
    wanted = address(engine, VICTIM)
    engine.docker(*leave)
    for name in SQUATTERS:
        engine.docker("run", "-d", "--name", name, "--network", NET, f"{APP}:0.0.1", "sleep", "1000")
        if address(engine, name) == wanted:
            break
    engine.docker(*enter)


async def out(house: House, name: str = VICTIM) -> None:
    async def left_out() -> bool:
        return (await rotation(house)).get(name) != "in"

    await until(left_out, timeout=10.0)


async def _idle(house: House) -> bool:
    found = await house.get("/v1/instances?service=web")
    return [i["in_flight"] for i in found if i["name"] == VICTIM] == [0]


def test_an_instance_whose_network_is_taken_gets_it_back(stocked: DockerEngine, pair: House) -> None:
    async def main() -> None:
        await healed(pair)
        before = incarnation(stocked, VICTIM)
        async with pair.users(post=0, slow=0) as load:
            await asyncio.to_thread(stocked.docker, "network", "disconnect", NET, VICTIM)
            await until(lambda: address(stocked, VICTIM), timeout=10.0)
            await healed(pair)
            unharmed(await load.stop())
        assert incarnation(stocked, VICTIM) == before

    asyncio.run(main())


@pytest.mark.parametrize("how", ["restarted", "reconnected"])
def test_an_instance_at_another_address_is_found_there(stocked: DockerEngine, pair: House, how: str) -> None:
    """Its former address is that of a stranger, who gets no request."""
    hands = {
        "restarted": (("stop", VICTIM), ("start", VICTIM)),
        "reconnected": (("network", "disconnect", NET, VICTIM), ("network", "connect", NET, VICTIM)),
    }

    async def main() -> None:
        await healed(pair)
        before = address(stocked, VICTIM)
        async with pair.users(post=0, slow=0) as load:
            # What is in flight on a network that goes away is lost: nothing may be.
            assert (await pair.cli("drain", VICTIM)).code == 0
            await until(lambda: _idle(pair), timeout=10.0)
            with pair.suspended():  # it would put things right in between
                await asyncio.to_thread(move, stocked, *hands[how])
            try:
                assert (await pair.cli("ready", VICTIM)).code == 0
                await healed(pair)
                assert address(stocked, VICTIM) != before
                unharmed(await load.stop())
            finally:
                stocked.docker("rm", "-f", *SQUATTERS, check=False)

    asyncio.run(main())


def test_an_instance_that_is_drained_first_may_be_ended_without_any_loss(
    stocked: DockerEngine, pair: House
) -> None:
    """The way to restart one by hand that spares POSTs too, which nobody may send a second time."""

    async def main() -> None:
        await healed(pair)
        async with pair.users(slow_path="/slow?seconds=0.5") as load:
            before = incarnation(stocked, VICTIM)
            assert (await pair.cli("drain", VICTIM, "--why", "new kernel")).code == 0

            await until(lambda: _idle(pair), timeout=10.0)
            await asyncio.to_thread(stocked.docker, "restart", VICTIM)
            assert (await rotation(pair))[VICTIM] == "out"
            assert (await pair.cli("ready", VICTIM)).code == 0

            await healed(pair)
            assert incarnation(stocked, VICTIM) != before
            unharmed(await load.stop())

    asyncio.run(main())


def test_a_paused_instance_is_out_of_rotation_until_it_goes_on(stocked: DockerEngine, pair: House) -> None:
    async def main() -> None:
        await healed(pair)
        async with pair.users() as load:
            stocked.docker("pause", VICTIM)

            await out(pair)
            (told,) = [i for i in await pair.get("/v1/instances?service=web") if i["name"] == VICTIM]
            assert (told["state"], told["why"]) == ("paused", "paused")
            stocked.docker("unpause", VICTIM)

            await healed(pair)
            unharmed(await load.stop())

    asyncio.run(main())


def test_an_instance_that_docker_calls_unhealthy_is_out_of_rotation_until_it_is_well(
    stocked: DockerEngine,
    pair: House,
) -> None:
    async def main() -> None:
        await healed(pair)
        before = incarnation(stocked, VICTIM)
        async with pair.users(slow_path="/slow?seconds=0.5") as load:
            await asyncio.to_thread(stocked.docker, "exec", VICTIM, "touch", "/tmp/sick")
            await out(pair)
            (told,) = [i for i in await pair.get("/v1/instances?service=web") if i["name"] == VICTIM]
            assert told["why"] == "the runtime's own health check fails"
            await asyncio.to_thread(stocked.docker, "exec", VICTIM, "rm", "/tmp/sick")
            await healed(pair)
            unharmed(await load.stop())
        assert incarnation(stocked, VICTIM) == before

    asyncio.run(main())
