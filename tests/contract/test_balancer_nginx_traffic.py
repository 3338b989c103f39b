"""What users and instances meet behind NGINX: kept connections, upgrades, shares, passive checks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bluegreen.domain.routing import Pool, PoolOptions, Routing, Server
from bluegreen.drivers.balancers.nginx.connections import to_servers
from bluegreen.testing.balancer_stage import BLUE, GREEN, WEB, live, two_colors
from tests.support.haproxy_stage import Way
from tests.support.nginx_stage import PROCESS, NginxStage, nginx_stage


def play(scenario: Callable[[NginxStage], Awaitable[None]], way: Way = PROCESS) -> None:
    async def main() -> None:
        async with asyncio.timeout(100), nginx_stage(way) as stage:
            await scenario(stage)

    asyncio.run(main())


def with_pool(routing: Routing, pool: Pool) -> Routing:
    return replace(routing, pools={**routing.pools, pool.id: pool})


def test_a_websocket_outlives_a_switch() -> None:
    async def scenario(stage: NginxStage) -> None:
        routing = await live(stage, GREEN)
        port = routing.routes[WEB].port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        for word, pool in ((b"before", BLUE), (b"after", GREEN)):
            await stage.balancer.apply(routing.with_weights(WEB, {pool: 100}))
            assert await stage.ask(port) == pool
            writer.write(word)
            assert await reader.readexactly(len(word)) == word
        writer.transport.abort()

    play(scenario)


def test_connections_to_instances_are_kept() -> None:
    async def scenario(stage: NginxStage) -> None:
        routing = await live(stage, GREEN)
        (server,) = routing.pools[GREEN].servers
        assert {await stage.ask(routing.routes[WEB].port) for _ in range(20)} == {GREEN}
        found = stage.found()
        kept = to_servers(found.all)[server.host, server.port]
        assert 1 <= kept <= len(found.serving), "each worker has one, for all of its requests"

    play(scenario, {"upstream_keepalive": 60})


def test_instances_get_their_shares() -> None:
    async def scenario(stage: NginxStage) -> None:
        large, small = [await stage.instance(GREEN) for _ in range(2)]
        servers = (
            Server(name="large", host=large[0], port=large[1], weight=80),
            Server(name="small", host=small[0], port=small[1], weight=20),
        )
        routing = two_colors(stage.free_port(), {GREEN: 100}).with_servers(GREEN, servers)
        await stage.balancer.apply(routing)
        for _ in range(50):
            await stage.ask(routing.routes[WEB].port)
        seen = [stage.backends[address].seen.total() for address in (large, small)]
        assert sum(seen) == 50
        assert 35 <= seen[0] <= 45, seen

    play(scenario)


def test_an_instance_that_fails_requests_is_left_alone() -> None:
    async def scenario(stage: NginxStage) -> None:
        attempts: Counter[str] = Counter()

        async def die(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            attempts["made"] += 1
            writer.transport.abort()

        broken = await asyncio.start_server(die, "127.0.0.1", 0)
        host, port = await stage.instance(GREEN)
        servers = (
            Server(name="well", host=host, port=port),
            Server(name="broken", host="127.0.0.1", port=broken.sockets[0].getsockname()[1]),
        )
        pool = Pool(id=GREEN, servers=servers, options=PoolOptions(passive_errors=2))
        routing = with_pool(two_colors(stage.free_port(), {GREEN: 100}), pool)
        await stage.balancer.apply(routing)
        assert {await stage.ask(routing.routes[WEB].port) for _ in range(60)} == {GREEN}, "no user sees it"
        assert 1 <= attempts["made"] < 20, "without a passive check every second request tries it first"
        broken.close()

    play(scenario)


def test_idle_connections_of_clients_are_kept_where_that_is_wanted() -> None:
    async def kept(stage: NginxStage) -> bool:
        routing = await live(stage, GREEN)
        reader, writer = await asyncio.open_connection("127.0.0.1", routing.routes[WEB].port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(GREEN))
        writer.transport.abort()
        return b"connection: keep-alive" in head.lower()

    async def default(stage: NginxStage) -> None:
        assert not await kept(stage)

    async def wanted(stage: NginxStage) -> None:
        assert await kept(stage)

    play(default)
    play(wanted, {"keepalive": 60})
