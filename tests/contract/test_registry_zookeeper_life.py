"""What only ZooKeeper has: sessions that expire and go over, rights, other tools that read along."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest
from kazoo.client import KazooClient

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.errors import BluegreenError, Permanent, Temporary
from bluegreen.drivers.registries.zookeeper import Options, diagnose, open_registry
from bluegreen.drivers.registries.zookeeper.registry import ZooKeeperRegistry
from bluegreen.testing.background import running
from bluegreen.testing.registry_contract import STACK, announcement, following, has_names, names
from tests.support.waiting import until
from tests.support.zookeeper_program import ZooKeeperProgram, a_zookeeper
from tests.support.zookeeper_stage import ZooKeeperStage, staged

PATIENCE = 30.0
ONE, TWO = announcement(1), announcement(2)

ANNOUNCER = """
import asyncio, sys
from bluegreen.drivers.registries.zookeeper import Options, open_registry
from bluegreen.testing.registry_contract import STACK, announcement

async def main():
    options = Options(address=sys.argv[1], path=sys.argv[2], session_timeout=3, deadline=20)
    async with open_registry(options) as registry:
        await registry.announce(STACK, [announcement(1)])
        await registry.report(STACK, "boxes/one", "here")
        print("announced", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
WITHOUT_KAZOO = """
import asyncio, sys
sys.modules["kazoo"] = None
from bluegreen.domain.errors import Permanent
from bluegreen.drivers.registries.zookeeper import Options, diagnose, open_registry

async def main():
    try:
        async with open_registry(Options()):
            pass
    except Permanent as told:
        print(told.code, told.hint, (await diagnose(Options()))[0])

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZooKeeperProgram]:
    with a_zookeeper(tmp_path_factory.mktemp("zookeeper")) as started:
        yield started


def run(
    program: ZooKeeperProgram,
    scenario: Callable[[ZooKeeperStage, ZooKeeperRegistry], Awaitable[None]],
    **options: object,
) -> None:
    async def main() -> None:
        async with asyncio.timeout(100), staged(program, **options) as stage, stage.client() as registry:
            await scenario(stage, registry)

    asyncio.run(main())


# -- sessions ------------------------------------------------------------------------------------


def test_what_an_expired_session_announced_comes_back(program: ZooKeeperProgram) -> None:
    async def scenario(stage: ZooKeeperStage, registry: ZooKeeperRegistry) -> None:
        async with running(registry.supervise()), stage.client() as other:
            await registry.announce(STACK, (ONE, TWO))
            await registry.report(STACK, "boxes/one", "here")
            former = registry.link.session
            await expire(stage, registry)
            await until(lambda: registry.link.session != former, PATIENCE)
            await until(lambda: has_names(other, {ONE.instance, TWO.instance}), PATIENCE)
            await until(lambda: has_text(other, "boxes/one", "here"), PATIENCE)

    run(program, scenario)


def test_watches_that_are_lost_with_a_session_are_set_again(program: ZooKeeperProgram) -> None:
    async def scenario(stage: ZooKeeperStage, registry: ZooKeeperRegistry) -> None:
        async with stage.client() as follower, following(follower) as listings:
            await registry.announce(STACK, (ONE,))
            await registry.write(STACK, "routes/web", "green", 0)
            await until(lambda: "routes/web" in listings[-1].documents, PATIENCE)
            former = follower.link.epoch
            await expire(stage, follower)
            await until(lambda: follower.link.epoch > former, PATIENCE)
            told = len(listings)
            await until(lambda: len(listings) > told, PATIENCE)
            await registry.write(STACK, "routes/web", "blue", None)
            await until(lambda: listings[-1].documents["routes/web"].text == "blue", PATIENCE)
            await registry.announce(STACK, (replace(ONE, draining=True),))
            await until(lambda: listings[-1].announcements[ONE.instance].draining, PATIENCE)

    run(program, scenario)


def test_an_announcement_goes_over_to_who_announces_last(program: ZooKeeperProgram) -> None:
    async def scenario(stage: ZooKeeperStage, registry: ZooKeeperRegistry) -> None:
        async with stage.client() as former:
            await former.announce(STACK, (ONE,))
            assert await owner(stage, ONE.instance) == former.link.session
            await registry.announce(STACK, (ONE,))
            assert await owner(stage, ONE.instance) == registry.link.session
        assert await names(registry) == {ONE.instance}

    run(program, scenario)


def test_two_announcers_do_not_fight(program: ZooKeeperProgram) -> None:
    """What somebody removed comes back; what somebody else took over stays theirs."""

    async def scenario(stage: ZooKeeperStage, registry: ZooKeeperRegistry) -> None:
        async with stage.client() as other:
            await registry.announce(STACK, (ONE, TWO))
            await other.announce(STACK, (replace(ONE, weight=7), replace(TWO, weight=7)))
            await stage.by_hand(lambda client: client.delete(node(stage, TWO.instance)))
            async with running(registry.supervise()):
                await until(lambda: has_names(other, {ONE.instance, TWO.instance}), PATIENCE)
            found = (await other.list(STACK)).announcements
            assert (found[ONE.instance].weight, found[TWO.instance].weight) == (7, TWO.weight)

    run(program, scenario)


def test_a_killed_announcer_is_announced_until_its_session_ends(program: ZooKeeperProgram) -> None:
    async def scenario(stage: ZooKeeperStage, registry: ZooKeeperRegistry) -> None:
        command = [sys.executable, "-c", ANNOUNCER, program.hosts, stage.prefix]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            assert await asyncio.to_thread(process.stdout.readline) == "announced\n"
        finally:
            process.kill()
            process.communicate()
        assert await names(registry) == {ONE.instance}
        await until(lambda: has_names(registry, set()), PATIENCE)
        assert (await registry.list(STACK)).documents == {}

    run(program, scenario)


def test_the_program_may_start_while_zookeeper_is_down(program: ZooKeeperProgram) -> None:
    async def main() -> None:
        async with staged(program, deadline=0.5) as stage:
            await stage.kill()
            async with stage.client() as registry, running(registry.supervise()):
                with pytest.raises(Temporary) as told:
                    await registry.announce(STACK, (ONE,))
                assert told.value.code == "registry_down"
                await stage.revive()
                await until(lambda: has_names(registry, {ONE.instance}), PATIENCE)

    asyncio.run(main())


# -- threads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["none", "frozen", "dead"])
def test_no_thread_is_left_behind(program: ZooKeeperProgram, trouble: str) -> None:
    async def main() -> None:
        async with staged(program, deadline=1.0) as stage:
            async with stage.client() as registry:
                await until(lambda: registry.link.online, PATIENCE)
                await registry.report(STACK, "boxes/one", "here")
                if trouble == "frozen":
                    await stage.freeze()
                elif trouble == "dead":
                    await stage.kill()
                    await until(lambda: not registry.link.online, PATIENCE)
            await stage.thaw() if trouble == "frozen" else None

    before = set(threading.enumerate())
    asyncio.run(main())
    assert set(threading.enumerate()) <= before


def test_many_may_ask_at_once(program: ZooKeeperProgram) -> None:
    """kazoo takes a few hundred questions at a time, and calls the connection closed at more."""

    async def scenario(stage: ZooKeeperStage, registry: ZooKeeperRegistry) -> None:
        many = [announcement(number) for number in range(200)]
        await registry.announce(STACK, many)
        listings = await asyncio.gather(*(registry.list(STACK) for _ in range(8)))
        assert [len(listing.announcements) for listing in listings] == [200] * 8

    run(program, scenario, deadline=10.0)


# -- documents -----------------------------------------------------------------------------------


def test_versions_grow_over_deletion(program: ZooKeeperProgram) -> None:
    """ZooKeeper's own count would begin anew, and an old writer would be taken for one who saw it last."""

    async def scenario(stage: ZooKeeperStage, registry: ZooKeeperRegistry) -> None:
        first = await registry.write(STACK, "routes/web", "green", 0)
        await stage.by_hand(lambda client: client.delete(f"{stage.prefix}/{STACK}/documents/routes:web"))
        second = await registry.write(STACK, "routes/web", "blue", 0)
        assert second > first
        with pytest.raises(Temporary) as told:
            await registry.write(STACK, "routes/web", "late", first)
        assert told.value.code == "conflict"

    run(program, scenario)


@pytest.mark.parametrize("key", ["", "..", "a//b", "a b", "a:b", "/a"])
def test_a_bad_key_is_refused(program: ZooKeeperProgram, key: str) -> None:
    async def scenario(stage: ZooKeeperStage, registry: ZooKeeperRegistry) -> None:
        await is_refused(registry.write(STACK, key, "text", None))

    run(program, scenario)


def test_a_text_that_zookeeper_would_not_take_is_refused(program: ZooKeeperProgram) -> None:
    async def scenario(stage: ZooKeeperStage, registry: ZooKeeperRegistry) -> None:
        await is_refused(registry.write(STACK, "routes/web", "x" * 1_000_001, None))
        await registry.write(STACK, "routes/web", "x" * 1_000_000, None)
        assert len((await registry.list(STACK)).documents["routes/web"].text) == 1_000_000

    run(program, scenario)


# -- others who read and write --------------------------------------------------------------------


def test_other_tools_read_what_is_announced(program: ZooKeeperProgram) -> None:
    async def scenario(stage: ZooKeeperStage, registry: ZooKeeperRegistry) -> None:
        endless = HealthCheck(headers=(("Host", "shop"),), start_period=float("inf"))
        told = (replace(ONE, weight=7, check=endless), replace(TWO, weight=9, draining=True))
        await registry.announce(STACK, told)
        one, two = [json.loads(await content(stage, a.instance), parse_constant=fail) for a in told]
        address = {"host": "127.0.0.1", "port": ONE.port}
        assert one.items() >= {**address, "name": ONE.instance, "weight": 7, "status": "ALIVE"}.items()
        assert one["serviceEndpoint"] == address
        assert one["labels"] == {"stack": "shop", "service": "web", "color": "blue", "release": "1"}
        assert (two["weight"], two["status"]) == (0, "STOPPING")
        assert (await registry.list(STACK)).announcements == {a.instance: a for a in told}

    run(program, scenario)


@pytest.mark.parametrize(
    "text",
    [
        '{"host": "127.0.0.1", "port": 80, "name": "by nerve"}',
        "[1]",
        "null",
        "\xff",
        '{"bluegreen": {"instance": "shop-web-r1-8"}}',
    ],
)
def test_what_others_announce_there_is_told_and_left_alone(program: ZooKeeperProgram, text: str) -> None:
    async def scenario(stage: ZooKeeperStage, registry: ZooKeeperRegistry) -> None:
        path, data = node(stage, "shop-web-r1-9"), text.encode("latin-1")
        await stage.by_hand(lambda client: client.create(path, data, makepath=True))
        await registry.announce(STACK, (ONE,))
        listing = await registry.list(STACK)
        assert set(listing.announcements) == {ONE.instance}
        assert [path in words for words in listing.malformed] == [True]
        await registry.announce(STACK, (replace(ONE, instance="shop-web-r1-9"),))
        assert await names(registry) == {"shop-web-r1-9"}

    run(program, scenario)


# -- rights and installation ----------------------------------------------------------------------


def test_who_does_not_know_the_password_may_only_read(program: ZooKeeperProgram) -> None:
    async def scenario(stage: ZooKeeperStage, registry: ZooKeeperRegistry) -> None:
        await registry.announce(STACK, (ONE,))
        for token in (None, "me:wrong"):
            stranger = stage.options.model_copy(update={"token": Options(token=token).token})
            async with open_registry(stranger) as other:
                assert await names(other) == {ONE.instance}
                await is_refused(other.announce(STACK, ()))
                await is_refused(other.report(STACK, "boxes/one", "here"))
                await is_refused(other.write(STACK, "routes/web", "green", None))
            assert ("zookeeper rights", False) in {row[:2] for row in await diagnose(stranger)}
        async with stage.client() as successor:
            await successor.announce(STACK, (TWO,))
            assert await names(successor) == {TWO.instance}
        assert all(well for _, well, _ in await diagnose(stage.options))

    run(program, scenario, token="me:secret")


def test_the_doctor_tells_what_answers(program: ZooKeeperProgram) -> None:
    async def scenario(stage: ZooKeeperStage, registry: ZooKeeperRegistry) -> None:
        rows = await diagnose(stage.options)
        assert [well for _, well, _ in rows] == [True, True, True]
        assert "standalone" in rows[0][2]
        assert await stage.by_hand(lambda client: client.exists(stage.prefix)) is None
        nobody = Options(address="127.0.0.1:1", deadline=0.5)
        assert [well for _, well, _ in await diagnose(nobody)] == [False, False]

    run(program, scenario)


def test_a_missing_client_library_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_KAZOO], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert "driver_missing" in done.stdout
    assert done.stdout.count("pip install 'bluegreen[zookeeper]'") == 2


def node(stage: ZooKeeperStage, instance: str) -> str:
    return f"{stage.prefix}/{STACK}/services/web/{instance}"


async def content(stage: ZooKeeperStage, instance: str) -> bytes:
    data: bytes = (await stage.by_hand(lambda client: client.get(node(stage, instance))))[0]
    return data


async def owner(stage: ZooKeeperStage, instance: str) -> int:
    stat = await stage.by_hand(lambda client: client.exists(node(stage, instance)))
    return int(stat.ephemeralOwner)


async def expire(stage: ZooKeeperStage, registry: ZooKeeperRegistry) -> None:
    """Have ZooKeeper end the session: somebody else comes with its number and closes it."""
    identity = registry.link.client.client_id

    def close() -> None:
        thief = KazooClient(stage.program.hosts, timeout=10, client_id=identity)
        thief.start(30)
        thief.stop()
        thief.close()

    await asyncio.to_thread(close)


async def has_text(registry: ZooKeeperRegistry, key: str, text: str) -> bool:
    found = (await registry.list(STACK)).documents.get(key)
    return found is not None and found.text == text


async def is_refused(call: Awaitable[object]) -> None:
    with pytest.raises(BluegreenError) as told:
        await call
    assert (type(told.value), told.value.code) == (Permanent, "registry_refused")
    assert told.value.hint


def fail(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")
