"""What HAProxy tells of its checks, and what it cuts and answers by an operator's wish."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

from bluegreen.domain.naming import RouteId
from bluegreen.domain.routing import (
    Globals,
    Maintenance,
    Route,
    Server,
    ServerHealth,
)
from bluegreen.testing.balancer_stage import (
    GREEN,
    WEB,
    has_in_flight,
    live,
    until,
    with_route,
)
from tests.support.haproxy_health import address, is_seen, listening, true_of, tunnel
from tests.support.haproxy_stage import HaproxyStage
from tests.support.haproxy_ways import Play
from tests.support.mixed_load import mixed_load

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
            await stage.fall_sick(*address(routing))
            await until(true_of(lambda: any(e.health is ServerHealth.DOWN for e in heard)), "it is told")
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
            await until(true_of(lambda: any(e.health is ServerHealth.DOWN for e in heard)), "it is told")
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
                await stage.fall_sick(*address(routing))
                await until(true_of(lambda: any(e.server for e in heard)), "it is told")
            assert [event.server for event in heard] == ["", "s1"], "no line about traffic came there"
            assert b"listener:" in syslog.recv(4096), "traffic is logged where it was"

    play(scenario)


# -- cutting -----------------------------------------------------------------------------------


def test_a_cut_ends_slow_requests_andtunnels_in_former_workers_too(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        port = routing.routes[WEB].port
        async with tunnel(stage, routing) as said_back, stage.stream(port) as stream_ended:
            more = with_route(routing, Route(id=RouteId("new"), port=port, host="new", weights={}))
            await stage.balancer.apply(more)  # a reload: both are with the former worker now
            for each in stage.backends.values():
                each.release.clear()
            slow = asyncio.create_task(stage.request(port, path="/hold"))
            await until(has_in_flight(stage, GREEN, 3), "all are seen")
            assert await said_back(b"hello")
            await stage.balancer.cut(GREEN)
            await until(stream_ended, "the stream ends")
            await until(true_of(slow.done), "the slow request ends")
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
                await until(true_of(lambda wanted=wanted: load.answered.total() > wanted), "it serves")  # type: ignore[misc]
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


async def _head(port: int, host: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    try:
        return (await reader.read()).decode().lower()
    finally:
        writer.transport.abort()
