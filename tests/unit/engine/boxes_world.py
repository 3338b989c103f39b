"""A controller that publishes, a registry that can fail, and boxes that follow; all in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import (
    Listener,
    Pool,
    Route,
    Routing,
    Server,
)
from bluegreen.drivers.clock import SystemClock
from bluegreen.engine.announcer import Announcer
from bluegreen.engine.boxes import Boxes
from bluegreen.engine.follower import Follower, News
from bluegreen.testing.background import running
from bluegreen.testing.fake_balancer import FakeBalancer
from bluegreen.testing.fake_keepsake import FakeKeepsake
from bluegreen.testing.fake_registry import FakeHouse, FakeRegistry

BLUE, GREEN = PoolId("shop.web.blue"), PoolId("shop.web.green")
WEB = RouteId("shop.web")


class World:
    """A registry, a controller's side of it, and boxes with their balancers."""

    def __init__(self, *, inner: bool = False) -> None:
        self.house = FakeHouse()
        self.clock = SystemClock()
        self.inner = FakeBalancer() if inner else None
        self.announcer = Announcer(FakeRegistry(self.house), self.clock, "one")
        self.boxes = Boxes(self.announcer, self.clock, self.inner)
        self.news: list[News] = []

    @asynccontextmanager
    async def box(self, name: str, note: FakeKeepsake | None = None) -> AsyncIterator[FakeBalancer]:
        balancer = FakeBalancer()
        async with FakeRegistry(self.house) as registry:
            follower = Follower(
                registry,
                balancer,
                note or FakeKeepsake(),
                self.clock,
                box=name,
                stacks=["shop"],
                tell=self.news.append,
            )
            async with running(follower.run()):
                yield balancer

    def reported(self, box: str) -> dict[PoolId, int]:
        """Return the weights of the route that a box last said it carries."""
        report = self.announcer.reports.get("shop", {}).get(box)
        return {} if report is None else dict(report.shares.get(WEB, {}))

    def told(self) -> str:
        return "\n".join(f"{news.kind} {news.message}" for news in self.news)


def routing(live: PoolId = GREEN, *, blue: int = 1, green: int = 2) -> Routing:
    def servers(color: str, count: int) -> tuple[Server, ...]:
        return tuple(
            Server(name=f"shop-web-r1-{color}{n}", host="10.0.0.1", port=8000 + n) for n in range(count)
        )

    return Routing(
        listeners={80: Listener(port=80)},
        routes={WEB: Route(id=WEB, port=80, weights={live: 100})},
        pools={
            BLUE: Pool(id=BLUE, servers=servers("b", blue)),
            GREEN: Pool(id=GREEN, servers=servers("g", green)),
        },
    )


def carries(balancer: FakeBalancer, pool: PoolId) -> Callable[[], bool]:
    def condition() -> bool:
        return WEB in balancer.routing.routes and balancer.routing.routes[WEB].live == (pool,)

    return condition


def play(
    scenario: Callable[[World], Awaitable[None]], *, inner: bool = False, supervised: bool = True
) -> None:
    """Play a scenario; one that is not ``supervised`` has a controller that tells, and then looks no more."""

    async def main() -> None:
        world = World(inner=inner)
        async with asyncio.timeout(60):
            if not supervised:
                await scenario(world)
                return
            async with running(world.boxes.supervise()):
                await scenario(world)

    asyncio.run(main())
