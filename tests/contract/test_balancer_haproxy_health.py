"""What HAProxy makes of sick instances, of operators' wishes and of connections that never end."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.naming import RouteId
from bluegreen.domain.routing import (
    BalancerEvent,
    Globals,
    Maintenance,
    PoolOptions,
    Route,
    Routing,
    Server,
    ServerHealth,
)
from bluegreen.testing.balancer_stage import (
    CHECK,
    GREEN,
    WEB,
    has_health,
    has_in_flight,
    live,
    servers,
    until,
    with_route,
)
from tests.support.haproxy_stage import Backend, HaproxyStage
from tests.support.haproxy_ways import Play
from tests.support.mixed_load import mixed_load

NEVER = HealthCheck(path="/ping", interval=3600.0)
"""Asks so rarely that it says nothing within a test."""


async def two(stage: HaproxyStage, check: HealthCheck = CHECK, **options: object) -> Routing:
    """Apply two instances of green, all traffic on them."""
    routing = await live(stage, GREEN)
    host, port = await stage.instance(GREEN)
    both = (*routing.pools[GREEN].servers, Server(name="s2", host=host, port=port))
    pool = replace(
        routing.pools[GREEN],
        check=check,
        servers=both,
        options=replace(PoolOptions(), **options),  # type: ignore[arg-type]
    )
    routing = replace(routing, pools={**routing.pools, GREEN: pool})
    await stage.balancer.apply(routing)
    await until(has_health(stage, GREEN, ServerHealth.UP), "both are up")
    return routing


def backend(stage: HaproxyStage, routing: Routing, number: int) -> Backend:
    server = routing.pools[GREEN].servers[number]
    return stage.backends[server.host, server.port]


async def healths(stage: HaproxyStage) -> list[str]:
    return [server.health for server in await servers(stage, GREEN)]


def is_seen(stage: HaproxyStage, *wanted: str) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return await healths(stage) == list(wanted)

    return condition


@asynccontextmanager
async def listening(stage: HaproxyStage) -> AsyncIterator[list[BalancerEvent]]:
    """Collect events inside the context."""
    heard: list[BalancerEvent] = []

    async def listen() -> None:
        async for event in stage.balancer.events():
            heard.append(event)

    task = asyncio.create_task(listen())
    await until(_true_of(lambda: bool(heard)), "it listens")
    try:
        yield heard
    finally:
        task.cancel()


def _true_of(fact: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return fact()

    return condition


# -- passive checks ----------------------------------------------------------------------------


def test_an_instance_that_fails_its_users_is_taken_out_though_its_ping_is_well(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage, NEVER, passive_errors=5)
        port = routing.routes[WEB].port
        doomed = await _only(stage, routing, 0)
        for _ in range(5):
            assert await stage.status(port, "/fail") == 503
        await stage.balancer.apply(routing)
        assert (await healths(stage))[0] == "down"
        before = doomed.seen.total()
        assert {await stage.status(port) for _ in range(10)} == {200}
        assert doomed.seen.total() == before

    play(scenario)


def test_only_errors_in_a_row_take_an_instance_out(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage, NEVER, passive_errors=5)
        await _only(stage, routing, 0)
        for _ in range(10):
            for path in ("/fail", "/fail", "/fail", "/fail", "/"):
                await stage.status(routing.routes[WEB].port, path)
        assert (await healths(stage))[0] == "up"

    play(scenario)


def test_nobody_watches_the_answers_when_that_was_not_wanted(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage, NEVER, passive_errors=None)
        for _ in range(60):
            await stage.status(routing.routes[WEB].port, "/fail")
        assert await healths(stage) == ["up", "up"]

    play(scenario)


def test_it_comes_back_when_its_check_passes(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage, passive_errors=3)
        await _only(stage, routing, 0)
        async with listening(stage) as heard:
            for _ in range(3):
                await stage.status(routing.routes[WEB].port, "/fail")

            def story() -> list[tuple[str, ServerHealth]]:
                return [(event.server, event.health) for event in heard if event.pool == GREEN]

            wanted = [("s1", ServerHealth.DOWN), ("s1", ServerHealth.UP)]
            await until(_true_of(lambda: story() == wanted), "out, and in again")
            assert "consecutive errors" in next(event.why for event in heard if event.server)

    play(scenario)


def test_a_pool_whose_every_instance_fails_its_users_goes_on_being_served(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage, NEVER, passive_errors=2)
        port = routing.routes[WEB].port
        for _ in range(20):
            await stage.status(port, "/fail")
        assert await healths(stage) == ["down", "down"]
        assert {await stage.status(port) for _ in range(10)} == {200}
        assert sum(backend(stage, routing, n).seen["GET /fail"] for n in (0, 1)) == 20

    play(scenario)


# -- the last good -----------------------------------------------------------------------------


def test_a_check_that_fails_everywhere_fails_no_request(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage)
        instances = [backend(stage, routing, number) for number in (0, 1)]
        async with mixed_load(routing.routes[WEB].port) as load:
            for well, health in ((False, "down"), (True, "up"), (False, "down")):
                for instance in instances:
                    instance.well = well
                await until(is_seen(stage, health, health), f"all are {health}")
                before = [instance.seen.total() for instance in instances]
                await until(
                    _true_of(
                        lambda before=before: all(  # type: ignore[misc]
                            instance.seen.total() > count + 20
                            for instance, count in zip(instances, before, strict=True)
                        )
                    ),
                    f"both are asked while {health}",
                )
        assert load.failed == []

    play(scenario)


def test_one_of_two_sick_instances_may_die_without_a_failed_request(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage)
        instances = [backend(stage, routing, number) for number in (0, 1)]
        for instance in instances:
            instance.well = False
        await until(is_seen(stage, "down", "down"), "all are down")
        port = routing.routes[WEB].port
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(stage.request(port, path="/slow")) for _ in range(20)]
            await until(_true_of(lambda: instances[0].seen.total() > 0), "one is in flight there")
            await instances[0].die()
        assert [task.result()[0] for task in asked] == [200] * 20

    play(scenario)


def test_an_instance_that_leaves_while_all_are_sick_gets_no_more(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage)
        port = routing.routes[WEB].port
        for number in (0, 1):
            backend(stage, routing, number).well = False
        await until(is_seen(stage, "down", "down"), "all are down")
        async with mixed_load(port) as load:
            await stage.balancer.apply(routing.with_servers(GREEN, routing.pools[GREEN].servers[1:]))
            await until(_has_no(stage, "s1"), "it is gone, and its twin")
            before = backend(stage, routing, 0).seen.total()
            wanted = load.answered.total() + 50
            await until(_true_of(lambda: load.answered.total() > wanted), "the other one serves")
            assert backend(stage, routing, 0).seen.total() == before
        assert load.failed == []

    play(scenario)


def test_a_twin_that_a_dead_controller_did_not_add_is_added(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        twin = f"{GREEN}/s1:last"
        await stage.api().attempt([f"set server {twin} state maint", f"del server {twin}"])
        assert await stage.servers_of(GREEN) - {"s1:probe"} == {"s1"}
        await stage.reopen()
        async with mixed_load(routing.routes[WEB].port) as load:
            await stage.balancer.apply(routing)
        assert load.failed == []
        assert await stage.servers_of(GREEN) >= {"s1", "s1:last"}

    play(scenario)


# -- forced up ---------------------------------------------------------------------------------


def test_forcing_up_and_back_reloads_nothing_and_fails_no_request(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage)
        first, second = routing.pools[GREEN].servers
        before = set(stage.processes())
        async with mixed_load(routing.routes[WEB].port) as load, _tunnel(stage, routing) as said_back:
            for number in range(10):
                forced = replace(first, forced_up=number % 2 == 0)
                await stage.balancer.apply(routing.with_servers(GREEN, (forced, second)))
                wanted = load.answered.total() + 20
                await until(_true_of(lambda wanted=wanted: load.answered.total() > wanted), "it serves")  # type: ignore[misc]
            assert await said_back(b"still here")
        assert load.failed == []
        assert set(stage.processes()) == before
        await until(_knows(stage, 2), "what was replaced is gone")

    play(scenario)


def test_users_errors_do_not_take_out_what_is_forced_up(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage, passive_errors=2)
        (first, second) = routing.pools[GREEN].servers
        forced = replace(first, forced_up=True)
        await stage.balancer.apply(routing.with_servers(GREEN, (forced,)))
        for _ in range(10):
            await stage.status(routing.routes[WEB].port, "/fail")
        await stage.balancer.apply(routing.with_servers(GREEN, (forced, second)))
        before = backend(stage, routing, 0).seen["GET /"]
        assert {await stage.status(routing.routes[WEB].port) for _ in range(10)} == {200}
        assert backend(stage, routing, 0).seen["GET /"] > before
        assert (await healths(stage))[0] == "unchecked"

    play(scenario)


def test_what_is_forced_up_stays_so_over_a_reload_and_a_restart(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        (server,) = routing.pools[GREEN].servers
        await stage.fall_sick(server.host, server.port)
        await until(is_seen(stage, "down"), "it is down")
        forced = routing.with_servers(GREEN, (replace(server, forced_up=True),))
        await stage.balancer.apply(forced)
        port = routing.routes[WEB].port
        more = with_route(forced, Route(id=RouteId("new"), port=port, host="new", weights={}))
        await stage.balancer.apply(more)
        assert (await healths(stage), await stage.ask(port)) == (["unchecked"], GREEN)
        await stage.kill()
        await stage.balancer.apply(more)
        assert (await healths(stage), await stage.ask(port)) == (["unchecked"], GREEN)
        await stage.balancer.apply(more.with_servers(GREEN, (server,)))
        await until(is_seen(stage, "down"), "it is checked again")

    play(scenario)


# -- events ------------------------------------------------------------------------------------


def test_haproxy_is_not_held_up_by_a_listener_that_does_not_read(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        path = stage.folder / "state" / "events.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
            deaf.bind(str(path))
            async with mixed_load(routing.routes[WEB].port) as load:
                for _ in range(200):
                    await stage.api().command(
                        [f"set server {GREEN}/s1 health down", f"set server {GREEN}/s1 health up"]
                    )
            assert load.failed == []
            dropped = await stage.api().ask("show info")
            assert "DroppedLogs: 0\n" not in dropped, "its socket was full"
        async with listening(stage) as heard:
            await stage.fall_sick(*_address(routing))
            await until(_true_of(lambda: any(e.health is ServerHealth.DOWN for e in heard)), "it is told")
        assert oct(path.stat().st_mode & 0o777) == "0o600"

    play(scenario)


def test_events_speak_of_servers_by_their_own_names_and_not_of_probes_and_twins(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        async with listening(stage) as heard:
            for _ in range(3):  # so that HAProxy calls it s1:2, or s1:3
                host, port = await stage.instance(GREEN)
                moved = Server(name="s1", host=host, port=port)
                await stage.balancer.apply(routing.with_servers(GREEN, (moved,)))
            await until(is_seen(stage, "up"), "it is up")
            await stage.fall_sick(host, port)
            await until(_true_of(lambda: any(e.health is ServerHealth.DOWN for e in heard)), "it is told")
        assert {event.server for event in heard if event.pool is not None} == {"s1"}

    play(scenario)


def test_events_come_beside_the_log_of_a_user(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
            syslog.bind(("127.0.0.1", 0))
            syslog.setblocking(False)
            target = f"127.0.0.1:{syslog.getsockname()[1]}"
            await stage.balancer.apply(replace(routing, settings=Globals(log_target=target)))
            async with listening(stage) as heard:
                for _ in range(30):
                    await stage.ask(routing.routes[WEB].port)
                await stage.fall_sick(*_address(routing))
                await until(_true_of(lambda: any(e.server for e in heard)), "it is told")
            assert [event.server for event in heard] == ["", "s1"], "no line about traffic came there"
            assert b"listener:" in syslog.recv(4096), "traffic is logged where it was"

    play(scenario)


# -- cutting -----------------------------------------------------------------------------------


def test_a_cut_ends_slow_requests_and_tunnels_in_former_workers_too(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        port = routing.routes[WEB].port
        async with _tunnel(stage, routing) as said_back, stage.stream(port) as stream_ended:
            more = with_route(routing, Route(id=RouteId("new"), port=port, host="new", weights={}))
            await stage.balancer.apply(more)  # a reload: both are with the former worker now
            for each in stage.backends.values():
                each.release.clear()
            slow = asyncio.create_task(stage.request(port, path="/hold"))
            await until(has_in_flight(stage, GREEN, 3), "all are seen")
            assert await said_back(b"hello")
            await stage.balancer.cut(GREEN)
            await until(stream_ended, "the stream ends")
            await until(_true_of(slow.done), "the slow request ends")
            assert slow.result()[0] != 200
            assert not await said_back(b"hello")
            await until(has_in_flight(stage, GREEN, 0), "nothing is left")

    play(scenario)


# -- maintenance -------------------------------------------------------------------------------


def test_the_page_says_why_and_fails_no_request_elsewhere(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        port = routing.routes[WEB].port
        shop = Route(id=RouteId("shop.shop"), port=port, host="closed.test", weights={GREEN: 100})
        routing = with_route(routing, shop)
        await stage.balancer.apply(routing)
        page = Maintenance(why="<b>disks</b> & 'fans'", health_path="/health", retry_after=120)
        async with mixed_load(port) as load:
            for maintenance in (page, None, page):
                closed = with_route(routing, replace(shop, maintenance=maintenance))
                await stage.balancer.apply(closed)
                status, body = await stage.request(port, "closed.test")
                assert status == (503 if maintenance else 200)
                if maintenance:
                    assert "&lt;b&gt;disks&lt;/b&gt; &amp; &#x27;fans&#x27;" in body
                    assert "light dark" in body
                    assert await stage.request(port, "closed.test", "/health") == (200, "ok\n")
                wanted = load.answered.total() + 30
                await until(_true_of(lambda wanted=wanted: load.answered.total() > wanted), "it serves")  # type: ignore[misc]
        assert load.failed == []
        head = await _head(port, "closed.test")
        assert "retry-after: 120" in head
        assert "content-type: text/html; charset=utf-8" in head
        own = with_route(routing, replace(shop, maintenance=Maintenance(page="<p>%[src] {ours}\n")))
        await stage.balancer.apply(own)
        assert await stage.request(port, "closed.test") == (503, "<p>%[src] {ours}\n")
        await stage.balancer.apply(routing)
        assert list((stage.folder / "state").glob("page-*")) == []

    play(scenario)


# -- what a check asks -------------------------------------------------------------------------


def test_a_check_may_want_a_text_in_the_body(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        for text, health in (("no 'such' text", "down"), (str(GREEN), "up")):
            pool = replace(routing.pools[GREEN], check=replace(CHECK, body=text))
            await stage.balancer.apply(replace(routing, pools={**routing.pools, GREEN: pool}))
            await until(is_seen(stage, health), f"with {text!r} it is {health}")

    play(scenario)


def test_a_check_may_speak_tls(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        context = await asyncio.to_thread(_tls, stage)
        secret = Backend(GREEN)
        stage.backends[await secret.open(context)] = secret
        plain = routing.pools[GREEN].servers[0]
        host, port = next(address for address, each in stage.backends.items() if each is secret)
        pool = replace(routing.pools[GREEN], check=replace(CHECK, tls=True))
        routing = replace(routing, pools={**routing.pools, GREEN: pool})
        both = routing.with_servers(GREEN, (plain, Server(name="s2", host=host, port=port)))
        await stage.balancer.apply(both)
        await until(is_seen(stage, "down", "up"), "who speaks TLS is up")
        await stage.balancer.apply(routing)
        await stage.balancer.apply(both)
        await until(is_seen(stage, "down", "up"), "and so it is when added at run time")

    play(scenario)


async def _only(stage: HaproxyStage, routing: Routing, number: int) -> Backend:
    """Leave one of the instances in rotation; return it."""
    (server,) = (s for n, s in enumerate(routing.pools[GREEN].servers) if n == number)
    await stage.balancer.apply(routing.with_servers(GREEN, (server,)))
    return backend(stage, routing, number)


def _address(routing: Routing) -> tuple[str, int]:
    server = routing.pools[GREEN].servers[0]
    return server.host, server.port


@asynccontextmanager
async def _tunnel(stage: HaproxyStage, routing: Routing) -> AsyncIterator[Callable[[bytes], Awaitable[bool]]]:
    """Keep an upgraded connection open; yield a way to see whether it still works in both directions."""
    reader, writer = await asyncio.open_connection("127.0.0.1", routing.routes[WEB].port)
    writer.write(b"GET /tunnel HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")

    async def said_back(word: bytes) -> bool:
        try:
            writer.write(word)
            return await reader.readexactly(len(word)) == word
        except (ConnectionError, asyncio.IncompleteReadError):
            return False

    try:
        yield said_back
    finally:
        writer.transport.abort()


async def _head(port: int, host: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    try:
        return (await reader.read()).decode().lower()
    finally:
        writer.transport.abort()


def _tls(stage: HaproxyStage) -> ssl.SSLContext:
    key, certificate = stage.folder / "key.pem", stage.folder / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=a.test"
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *files], check=True, capture_output=True, timeout=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _has_no(stage: HaproxyStage, name: str) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return not any(each.split(":")[0] == name for each in await stage.servers_of(GREEN))

    return condition


def _knows(stage: HaproxyStage, count: int) -> Callable[[], Awaitable[bool]]:
    """Whether HAProxy knows so many servers of green besides twins."""

    async def condition() -> bool:
        names = await stage.servers_of(GREEN)
        return len([name for name in names if not name.endswith((":last", ":probe"))]) == count

    return condition
