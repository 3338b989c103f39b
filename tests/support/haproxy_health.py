"""Sick instances of the real HAProxy, and what can be seen of them. Used by the tests of its health."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.routing import (
    BalancerEvent,
    PoolOptions,
    Routing,
    Server,
    ServerHealth,
)
from bluegreen.testing.balancer_stage import (
    CHECK,
    GREEN,
    WEB,
    has_health,
    live,
    servers,
    until,
)
from tests.support.haproxy_stage import Backend, HaproxyStage

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
    await until(true_of(lambda: bool(heard)), "it listens")
    try:
        yield heard
    finally:
        task.cancel()


def true_of(fact: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return fact()

    return condition


async def only(stage: HaproxyStage, routing: Routing, number: int) -> Backend:
    """Leave one of the instances in rotation; return it."""
    (server,) = (s for n, s in enumerate(routing.pools[GREEN].servers) if n == number)
    await stage.balancer.apply(routing.with_servers(GREEN, (server,)))
    return backend(stage, routing, number)


def address(routing: Routing) -> tuple[str, int]:
    server = routing.pools[GREEN].servers[0]
    return server.host, server.port


@asynccontextmanager
async def tunnel(stage: HaproxyStage, routing: Routing) -> AsyncIterator[Callable[[bytes], Awaitable[bool]]]:
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


def knows(stage: HaproxyStage, count: int) -> Callable[[], Awaitable[bool]]:
    """Whether HAProxy knows so many servers of green besides twins."""

    async def condition() -> bool:
        names = await stage.servers_of(GREEN)
        return len([name for name in names if not name.endswith((":last", ":probe"))]) == count

    return condition
