"""The fake balancer keeps the contract of the real ones."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import ServerHealth
from bluegreen.testing.balancer_contract import BalancerContract
from bluegreen.testing.balancer_stage import Stage
from bluegreen.testing.fake_balancer import REFUSED_LINE, FakeBalancer


class FakeStage:
    """Instances are numbers; requests are questions to the fake."""

    refused_line = REFUSED_LINE

    def __init__(self) -> None:
        self.balancer = FakeBalancer()
        self._ports = itertools.count(20000)

    async def reopen(self) -> FakeBalancer:
        return self.balancer

    async def kill(self) -> None:
        self.balancer.die()

    async def instance(self, pool: PoolId) -> tuple[str, int]:
        return "127.0.0.1", next(self._ports)

    async def fall_sick(self, host: str, port: int) -> None:
        for pool in self.balancer.routing.pools.values():
            for server in pool.servers:
                if (server.host, server.port) == (host, port):
                    self.balancer.set_health(pool.id, server.name, ServerHealth.DOWN)

    async def ask(self, port: int, host: str = "any.example", path: str = "/") -> PoolId | None:
        return self.balancer.pick(port, host, path)

    @asynccontextmanager
    async def hold(self, port: int) -> AsyncIterator[None]:
        pool = self.balancer.pick(port)
        assert pool is not None
        self.balancer.set_in_flight(pool, 1)
        yield
        self.balancer.set_in_flight(pool, 0)

    def free_port(self) -> int:
        return next(self._ports)

    def taken_port(self) -> int:
        port = next(self._ports)
        self.balancer.taken_ports.add(port)
        return port


@asynccontextmanager
async def _stage() -> AsyncIterator[Stage]:
    yield FakeStage()


class TestFakeBalancer(BalancerContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return _stage()
