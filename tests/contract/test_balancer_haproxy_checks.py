"""A check means the same to HAProxy as to our own prober: texts in answers, TLS, commands inside."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.health import Outcome
from bluegreen.domain.routing import Pool, Routing, Server, ServerHealth
from bluegreen.drivers.probers.http import HttpProber
from bluegreen.testing.balancer_stage import GREEN, has_health, two_colors, until
from tests.support.certificates import self_signed
from tests.support.haproxy_stage import HaproxyStage
from tests.support.haproxy_ways import Play

CHECK = HealthCheck(path="/ping", interval=0.1, timeout=1.0, rise=1, fall=1)
READY = replace(CHECK, body='it\'s "ready" \\ 100%')


class Answering:
    """Answers every request with ``status`` and ``parts`` of a body, each in a packet of its own."""

    def __init__(self, *parts: str, status: int = 200) -> None:
        self.parts = parts
        self.status = status
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
            pieces = [part.encode() for part in self.parts]
            writer.write(
                f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(b''.join(pieces))}\r\n\r\n".encode()
            )
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    @asynccontextmanager
    async def open(
        self, stage: HaproxyStage, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[tuple[str, int]]:
        """Answer while the block runs; HAProxy is ended first, as it might ask in the very last moment."""
        async with await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=tls) as server:
            try:
                yield server.sockets[0].getsockname()
            finally:
                await stage.balancer.stop()


async def checked(stage: HaproxyStage, address: tuple[str, int], check: HealthCheck) -> Routing:
    """Let HAProxy check the server at ``address``."""
    host, port = address
    pool = Pool(id=GREEN, servers=(Server(name="s1", host=host, port=port),), check=check)
    routing = two_colors(stage.free_port(), {GREEN: 100})
    routing = replace(routing, pools={**routing.pools, GREEN: pool})
    await stage.balancer.apply(routing)
    return routing


async def both_say(
    stage: HaproxyStage, address: tuple[str, int], check: HealthCheck, health: ServerHealth
) -> None:
    """HAProxy and our prober come to the same verdict."""
    await until(has_health(stage, GREEN, health), f"{check} finds it {health}")
    wanted = Outcome.PASS if health is ServerHealth.UP else Outcome.FAIL
    result = await HttpProber().probe(*address, check)
    assert result.outcome is wanted, result


def test_an_answer_with_the_text_is_well(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        application = Answering("still starting")
        async with application.open(stage) as address:
            await checked(stage, address, READY)
            for parts in (
                ('I am it\'s "ready" \\ 100% now',),
                ("I am it's \"re", 'ady" \\ 1', "00%"),
                ("x" * 8000, 'it\'s "ready" \\ 100%', "y" * 20_000),
            ):
                application.parts = ("still starting",)
                await both_say(stage, address, READY, ServerHealth.DOWN)
                application.parts = parts
                await both_say(stage, address, READY, ServerHealth.UP)
            application.status = 503
            await both_say(stage, address, READY, ServerHealth.DOWN)

    play(scenario)


def test_traffic_goes_only_to_answers_with_the_text(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        well, sick = Answering("ready"), Answering("starting")
        async with well.open(stage) as (host, port), sick.open(stage) as (_, other):
            servers = tuple(Server(name=f"s{number}", host=host, port=number) for number in (port, other))
            pool = Pool(id=GREEN, servers=servers, check=replace(CHECK, body="ready"))
            routing = two_colors(stage.free_port(), {GREEN: 100})
            await stage.balancer.apply(replace(routing, pools={**routing.pools, GREEN: pool}))

            async def judged() -> bool:
                seen = (await stage.balancer.observe([GREEN])).pools[GREEN].servers
                return [server.health for server in seen] == ["up", "down"]

            await until(judged, "one has the text, one has not")
            (listener,) = routing.listeners
            assert {(await stage.request(listener))[1] for _ in range(8)} == {"ready"}

    play(scenario)


def test_any_of_several_ranges_of_statuses_will_do(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        application = Answering(status=204)
        check = replace(CHECK, expect=((200, 200), (204, 204), (301, 302)))
        async with application.open(stage) as address:
            await checked(stage, address, check)
            for status, health in ((204, "up"), (201, "down"), (302, "up"), (303, "down"), (200, "up")):
                application.status = status
                await both_say(stage, address, check, ServerHealth(health))

    play(scenario)


def test_tls_is_spoken_without_verifying_anything(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        names: set[str | None] = set()
        context = self_signed()
        context.sni_callback = lambda _socket, name, _context: names.add(name)
        application = Answering(READY.body or "")
        async with application.open(stage, context) as address:
            for host in ("shop.example", None):
                check = replace(READY, tls=True, host=host)
                await checked(stage, address, check)
                await both_say(stage, address, check, ServerHealth.UP)
                assert host in names
            application.parts = ("no",)
            await both_say(stage, address, check, ServerHealth.DOWN)

    play(scenario)


def test_a_plain_port_fails_a_check_by_tls(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        async with Answering("ready").open(stage) as address:
            for check in (replace(CHECK, tls=True), replace(CHECK, kind=CheckKind.TCP, tls=True)):
                await checked(stage, address, check)
                await both_say(stage, address, check, ServerHealth.DOWN)

    play(scenario)


def test_a_tls_port_passes_a_tcp_check_with_and_without_tls(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        async with Answering("ready").open(stage, self_signed()) as address:
            for tls in (True, False):
                check = replace(CHECK, kind=CheckKind.TCP, tls=tls)
                await checked(stage, address, check)
                await both_say(stage, address, check, ServerHealth.UP)

    play(scenario)


def test_for_a_command_inside_the_connection_stands(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        application = Answering(status=500)
        check = replace(CHECK, kind=CheckKind.EXEC, command=("/bin/false",), tls=True, body="ready")
        async with application.open(stage) as address:
            routing = await checked(stage, address, check)
            await until(has_health(stage, GREEN, ServerHealth.UP), "it accepts a connection")
            gone = (Server(name="s2", host="127.0.0.1", port=stage.free_port()),)
            await stage.balancer.apply(routing.with_servers(GREEN, gone))
            await until(has_health(stage, GREEN, ServerHealth.DOWN), "nothing listens there")
        assert application.asked == []

    play(scenario)
