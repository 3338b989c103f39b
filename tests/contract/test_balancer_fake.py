"""The fake balancer keeps the contract of the real ones."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import BalancerEvent, ServerHealth
from bluegreen.testing.balancer_contract import BalancerContract
from bluegreen.testing.balancer_health_contract import BalancerHealthContract
from bluegreen.testing.balancer_stage import Stage
from bluegreen.testing.fake_balancer import REFUSED_LINE, FakeBalancer


class FakeStage:
    """Instances are numbers; requests are questions to the fake."""

    refused_line = REFUSED_LINE

    def __init__(self) -> None:
        self.balancer = FakeBalancer()
        self._ports = itertools.count(20000)
        self._open: Counter[PoolId] = Counter()

    async def reopen(self) -> FakeBalancer:
        return self.balancer

    async def kill(self) -> None:
        self.balancer.die()

    async def instance(self, pool: PoolId) -> tuple[str, int]:
        return "127.0.0.1", next(self._ports)

    async def fall_sick(self, host: str, port: int) -> None:
        self._tell(host, port, ServerHealth.DOWN)

    def _tell(self, host: str, port: int, health: ServerHealth) -> None:
        for pool in self.balancer.routing.pools.values():
            for server in pool.servers:
                if (server.host, server.port) == (host, port):
                    self.balancer.set_health(pool.id, server.name, health)
                    event = BalancerEvent(
                        pool=pool.id, server=server.name, health=health, why="its check", at=1.0
                    )
                    self.balancer.emit(event)

    async def get_well(self, host: str, port: int) -> None:
        self._tell(host, port, ServerHealth.UP)

    async def status(self, port: int, path: str = "/", method: str = "GET") -> int:
        return self.balancer.answer(port, path=path)

    @asynccontextmanager
    async def stream(self, port: int) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
        pool = self.balancer.pick(port)
        assert pool is not None

        async def ended() -> bool:
            return (await self.balancer.observe([pool])).pools[pool].in_flight == 0

        self._more(pool, 1)
        yield ended
        if not await ended():
            self._more(pool, -1)

    async def ask(self, port: int, host: str = "any.example", path: str = "/") -> PoolId | None:
        return self.balancer.pick(port, host, path)

    @asynccontextmanager
    async def hold(self, port: int) -> AsyncIterator[None]:
        pool = self.balancer.pick(port)
        assert pool is not None
        self._more(pool, 1)
        yield
        self._more(pool, -1)

    def _more(self, pool: PoolId, count: int) -> None:
        self._open[pool] += count
        self.balancer.set_in_flight(pool, self._open[pool])

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


class TestFakeBalancerHealth(BalancerHealthContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return _stage()
