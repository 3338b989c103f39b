"""The stage on which the contract of balancers is played: a driver, its surroundings, what can be seen.

Used by :mod:`bluegreen.testing.balancer_contract` and by tests of drivers that go beyond it. Rule:
nothing here knows a balancer's kind.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import (
    Listener,
    Pool,
    Route,
    Routing,
    Server,
    ServerFacts,
    ServerHealth,
)
from bluegreen.ports.balancer import Balancer
from bluegreen.testing.suite import Suite

BLUE = PoolId("shop.web.blue")
GREEN = PoolId("shop.web.green")
WEB = RouteId("shop.web")
CHECK = HealthCheck(path="/ping", method="OPTIONS", interval=0.2, timeout=1.0, rise=1, fall=1)
DEADLINE = 10.0


class Stage(Protocol):
    """A driver under test with everything around it. Ends all it started when its context ends."""

    @property
    def balancer(self) -> Balancer: ...

    @property
    def refused_line(self) -> str:
        """A line for ``PoolOptions.extra`` that this balancer refuses."""
        ...

    async def reopen(self) -> Balancer:
        """Return the driver as a new controller opens it: same data plane, empty memory.

        ``balancer`` is the new one afterwards; the old one is not used again.
        """
        ...

    async def kill(self) -> None:
        """End the data plane as ``kill -9`` does."""
        ...

    async def instance(self, pool: PoolId) -> tuple[str, int]:
        """Start a well instance for ``pool``; return its host and port."""
        ...

    async def fall_sick(self, host: str, port: int) -> None:
        """Let the instance fail its health check from now on, while it still answers requests."""
        ...

    async def ask(self, port: int, host: str = "any.example", path: str = "/") -> PoolId | None:
        """Send a request on a new connection; return the pool whose instance answered it.

        ``None`` when the balancer itself answered 503; ``ConnectionRefusedError`` when nothing listens.
        """
        ...

    async def get_well(self, host: str, port: int) -> None:
        """Let the instance pass its health check again."""
        ...

    async def status(self, port: int, path: str = "/", method: str = "GET") -> int:
        """Send a request on a new connection; return the status of its answer, whoever gave it."""
        ...

    def stream(self, port: int) -> AbstractAsyncContextManager[Callable[[], Awaitable[bool]]]:
        """Keep an answer open that never ends by itself; yield whether it has ended all the same."""
        ...

    def hold(self, port: int) -> AbstractAsyncContextManager[None]:
        """Keep one request in flight inside the context; leaving it proves that it got its answer."""
        ...

    def free_port(self) -> int: ...

    def taken_port(self) -> int:
        """Return a port on which somebody else listens until the stage ends."""
        ...


class BalancerSuite(Suite[Stage]):
    """What every suite of the contract is played on."""

    deadline = 100.0


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Poll ``condition`` until it holds; fail with ``what`` after the suite's deadline."""
    deadline = time.monotonic() + DEADLINE
    while not await condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE} s: {what}"
        await asyncio.sleep(0.01)


def two_colors(port: int, weights: Mapping[PoolId, int]) -> Routing:
    """One listener, one route, two empty pools."""
    return Routing(
        listeners={port: Listener(port=port, address="127.0.0.1")},
        routes={WEB: Route(id=WEB, port=port, weights=weights)},
        pools={pool: Pool(id=pool, check=CHECK) for pool in (BLUE, GREEN)},
    )


async def live(stage: Stage, pool: PoolId) -> Routing:
    """Apply two colors with one instance each, all traffic on ``pool``; wait until both are up."""
    routing = two_colors(stage.free_port(), {pool: 100})
    for each in (BLUE, GREEN):
        host, port = await stage.instance(each)
        routing = routing.with_servers(each, (Server(name="s1", host=host, port=port),))
    await stage.balancer.apply(routing)
    for each in (BLUE, GREEN):
        await until(has_health(stage, each, ServerHealth.UP), f"{each} is up")
    return routing


async def assert_unchanged(stage: Stage, routing: Routing) -> None:
    (pool,) = routing.routes[WEB].live
    facts = await stage.balancer.observe()
    assert dict(facts.weights) == {WEB: {pool: 100}}
    assert {p: len(f.servers) for p, f in facts.pools.items()} == {BLUE: 1, GREEN: 1}
    assert await stage.ask(routing.routes[WEB].port) == pool


def with_route(routing: Routing, route: Route) -> Routing:
    return Routing(
        listeners=routing.listeners, routes={**routing.routes, route.id: route}, pools=routing.pools
    )


async def refusal(call: Awaitable[object]) -> str:
    refused: BluegreenError | None = None
    try:
        await call
    except BluegreenError as error:
        refused = error
    assert refused is not None, "it was accepted"
    assert refused.hint, f"{refused.code} says what to do"
    return refused.code


async def servers(stage: Stage, pool: PoolId) -> tuple[ServerFacts, ...]:
    return (await stage.balancer.observe([pool])).pools[pool].servers


def has_health(stage: Stage, pool: PoolId, health: ServerHealth) -> Callable[[], Awaitable[bool]]:
    """Return whether all servers of the pool are seen so; one that does not check says that of all."""
    expected = health if stage.balancer.checks else ServerHealth.UNCHECKED

    async def condition() -> bool:
        return {server.health for server in await servers(stage, pool)} == {expected}

    return condition


def has_in_flight(stage: Stage, pool: PoolId, count: int) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return (await stage.balancer.observe([pool])).pools[pool].in_flight == count

    return condition


def answers(stage: Stage, routing: Routing, pool: PoolId | None) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        try:
            return await stage.ask(routing.routes[WEB].port) == pool
        except OSError:
            return False

    return condition


def is_closed(stage: Stage, port: int) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        try:
            await stage.ask(port)
        except ConnectionRefusedError:
            return True
        return False

    return condition
