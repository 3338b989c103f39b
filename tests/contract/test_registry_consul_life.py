"""Consul beyond the contract: what other tools see, checks that Consul makes, sessions, other announcers."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest

from bluegreen.domain.check import HealthCheck
from bluegreen.drivers.registries.consul import diagnose
from bluegreen.ports.registry import Registry
from bluegreen.testing.background import running
from bluegreen.testing.registry_contract import STACK, announcement, has_names, names
from tests.support.consul_program import Consul, ConsulStage, a_consul, consul_stage
from tests.support.mean_servers import listen, saying
from tests.support.waiting import until

Play = Callable[[Callable[[ConsulStage], Awaitable[None]]], None]

SICK = saying(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
QUICK = HealthCheck(path="/ping", interval=1.0, timeout=1.0, fall=1)


@pytest.fixture(scope="module")
def consul() -> Iterator[Consul]:
    with a_consul() as started:
        yield started


@pytest.fixture
def play(consul: Consul) -> Play:
    """Give each scenario the Consul of the module, emptied."""

    def run(scenario: Callable[[ConsulStage], Awaitable[None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(100), consul_stage(consul) as stage:
                await scenario(stage)

        asyncio.run(main())

    return run


def resolve(consul: Consul, name: str) -> int:
    """Return how many addresses Consul's DNS gives for ``name``."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + labels + struct.pack(">B2H", 0, 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(10)
        asking.sendto(question, ("127.0.0.1", consul.dns_port))
        return int(struct.unpack(">6H", asking.recv(4096)[:12])[3])


def test_other_tools_see_services_tags_and_weights(play: Play) -> None:
    async def scenario(stage: ConsulStage) -> None:
        async with stage.registry() as registry:
            await registry.announce(STACK, (replace(announcement(1), weight=7), announcement(2)))
            held = await stage.consul.ask("GET", "health/service/web", tag=STACK, passing="")
            first = min((entry["Service"] for entry in held), key=lambda service: service["ID"])
            assert first["Tags"] == [STACK, "blue"]
            assert first["Weights"] == {"Passing": 7, "Warning": 7}
            assert first["Meta"]["bluegreen-release"] == "1"
            assert (first["Address"], first["Port"]) == ("127.0.0.1", 20001)

    play(scenario)


def test_dns_gives_nobody_an_instance_that_drains(play: Play) -> None:
    async def scenario(stage: ConsulStage) -> None:
        other = replace(announcement(2), host="127.0.0.2")
        async with stage.registry() as registry:
            for first, count in ((announcement(1), 2), (replace(announcement(1), draining=True), 1)) * 2:
                await registry.announce(STACK, (first, other))
                await until(lambda count=count: resolve(stage.consul, "web.service.consul") == count)
                listing = await registry.list(STACK)
                assert listing.announcements[first.instance].draining == first.draining
                assert listing.unwell == frozenset()
            assert resolve(stage.consul, f"{STACK}.web.service.consul") == 1

    play(scenario)


def test_who_fails_consuls_check_is_unwell_and_stays_so_when_told_again(play: Play) -> None:
    async def scenario(stage: ConsulStage) -> None:
        async with await listen(SICK) as server, stage.registry() as registry:
            port = server.sockets[0].getsockname()[1]
            sick = replace(announcement(1), port=port, check=QUICK)
            forced = replace(announcement(2), port=port, check=QUICK, forced_up=True)
            await registry.announce(STACK, (sick, forced))
            await until(lambda: _unwell(registry, {sick.instance}))
            await registry.announce(STACK, (replace(sick, weight=9), forced))
            assert (await registry.list(STACK)).unwell == {sick.instance}

    play(scenario)


async def _unwell(registry: Registry, wanted: set[str]) -> bool:
    return (await registry.list(STACK)).unwell == wanted


def test_the_agent_is_told_when_to_forget(play: Play) -> None:
    async def scenario(stage: ConsulStage) -> None:
        async with stage.registry() as registry:
            await registry.announce(STACK, (replace(announcement(1), check=QUICK),))
            (kept,) = stage.consul.checks_on_disk()
            assert kept["DeregisterCriticalServiceAfter"] == 24 * 3600 * 10**9

    play(scenario)


def test_changes_tell_of_health(play: Play) -> None:
    async def scenario(stage: ConsulStage) -> None:
        async with await listen(SICK) as server, stage.registry() as registry, stage.registry() as other:
            seen: list[frozenset[str]] = []

            async def follow() -> None:
                async for _ in other.changes(STACK):
                    seen.append((await other.list(STACK)).unwell)

            following = asyncio.create_task(follow())
            sick = replace(announcement(1), port=server.sockets[0].getsockname()[1], check=QUICK)
            await registry.announce(STACK, (sick,))
            await until(lambda: bool(seen) and seen[-1] == {sick.instance})
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    play(scenario)


def test_what_is_right_is_not_told_again(play: Play) -> None:
    async def scenario(stage: ConsulStage) -> None:
        async with stage.registry() as registry, stage.registry() as other:
            checked = replace(announcement(1), check=QUICK, draining=True)
            await registry.announce(STACK, (checked, announcement(2)))
            before = await stage.consul.ask("GET", "catalog/service/web")
            await other.announce(STACK, (checked, announcement(2)))
            assert await stage.consul.ask("GET", "catalog/service/web") == before

    play(scenario)


def test_what_somebody_took_out_comes_back(play: Play) -> None:
    async def scenario(stage: ConsulStage) -> None:
        async with stage.registry() as registry, running(registry.supervise()):
            await registry.announce(STACK, (announcement(1), announcement(2)))
            key = f"bluegreen:{STACK}:{announcement(1).instance}"
            await stage.consul.ask("PUT", f"agent/service/deregister/{key}")
            await until(lambda: has_names(registry, {a.instance for a in (announcement(1), announcement(2))}))

    play(scenario)


def test_the_last_declaration_wins_whoever_supervises(play: Play) -> None:
    async def scenario(stage: ConsulStage) -> None:
        async with (
            stage.registry() as first,
            stage.registry() as second,
            running(first.supervise()),
            running(second.supervise()),
        ):
            await first.announce(STACK, (announcement(1),))
            await second.announce(STACK, (announcement(2),))
            await until(lambda: not first.stacks)
            assert await names(first) == {announcement(2).instance}
            await first.announce(STACK, (announcement(3),))
            await until(lambda: not second.stacks)
            assert await names(second) == {announcement(3).instance}

    play(scenario)


def test_what_an_agent_left_behind_is_taken_out(play: Play) -> None:
    async def scenario(stage: ConsulStage) -> None:
        async with stage.registry() as registry:
            await registry.announce(STACK, (announcement(1),))
            (held,) = await stage.consul.ask("GET", "catalog/service/web")
            service = {"ID": held["ServiceID"], "Service": "web", "Address": "127.0.0.9", "Port": 9}
            described = {**service, "Tags": held["ServiceTags"], "Meta": held["ServiceMeta"]}
            node = {"Node": "gone", "Address": "127.0.0.9", "Service": described}
            await stage.consul.ask("PUT", "catalog/register", node)
            assert (await registry.list(STACK)).announcements[announcement(1).instance].port == 9
            await registry.announce(STACK, (announcement(1),))
            assert len(await stage.consul.ask("GET", "catalog/service/web")) == 1
            assert (await registry.list(STACK)).announcements[announcement(1).instance].port == 20001

    play(scenario)


def test_a_report_returns_when_its_session_was_lost(play: Play) -> None:
    async def scenario(stage: ConsulStage) -> None:
        async with stage.registry() as box, running(box.supervise()):
            await box.report(STACK, "boxes/one", "first")
            await box.report(STACK, "boxes/two", "other")
            for session in await stage.consul.ask("GET", "session/list"):
                await stage.consul.ask("PUT", f"session/destroy/{session['ID']}")
            await box.report(STACK, "boxes/one", "again")

            async def both() -> bool:
                return set((await box.list(STACK)).documents) == {"boxes/one", "boxes/two"}

            await until(both, 30)

    play(scenario)


def test_a_reporter_takes_over_from_one_of_its_name(play: Play) -> None:
    async def scenario(stage: ConsulStage) -> None:
        async with stage.registry() as successor:
            async with stage.registry() as late:
                await late.report(STACK, "boxes/one", "of old")
                await successor.report(STACK, "boxes/one", "of new")
            assert (await successor.list(STACK)).documents["boxes/one"].text == "of new"

    play(scenario)


def test_a_large_document_is_kept_whole(play: Play) -> None:
    async def scenario(stage: ConsulStage) -> None:
        async with stage.registry() as registry:
            text = "".join(f'{{"pool": "shop.web{number}.blue — größer"}}' for number in range(30_000))
            assert len(text) > 1_000_000
            version = await registry.write(STACK, "structure", text, 0)
            found = (await registry.list(STACK)).documents["structure"]
            assert (found.version, found.text) == (version, text)

    play(scenario)


def test_diagnosis_of_a_consul_that_is_well(play: Play) -> None:
    async def scenario(stage: ConsulStage) -> None:
        found = await diagnose(stage.options)
        assert [(what, well) for what, well, _ in found] == [
            ("consul", True),
            ("consul leader", True),
            ("consul rights", True),
        ]
        assert "version 1." in found[0][2]

    play(scenario)
