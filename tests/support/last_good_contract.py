"""A box keeps its traffic whatever its registry does: one suite, played on each registry.

The registry is the real one of its driver's contract stage; the balancer is the fake, so that what it was
told can be read. With real traffic the same is shown in ``tests/e2e/test_boxes.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress

from bluegreen.domain.errors import Temporary
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import Listener, Pool, Route, Routing, Server
from bluegreen.drivers.clock import SystemClock
from bluegreen.engine.announcer import Announcer
from bluegreen.engine.boxes import Boxes
from bluegreen.engine.follower import Follower, News
from bluegreen.testing.background import running
from bluegreen.testing.fake_balancer import FakeBalancer
from bluegreen.testing.fake_keepsake import FakeKeepsake
from bluegreen.testing.registry_contract import Stage
from bluegreen.testing.waiting import until

BLUE, GREEN, WEB = PoolId("shop.web.blue"), PoolId("shop.web.green"), RouteId("shop.web")
PATIENCE = 40.0


class Scene:
    def __init__(self, stage: Stage, boxes: Boxes) -> None:
        self.stage = stage
        self.boxes = boxes
        self.note = FakeKeepsake()
        self.news: list[News] = []

    @asynccontextmanager
    async def box(self) -> AsyncIterator[FakeBalancer]:
        async with self.stage.client() as registry:
            balancer = FakeBalancer()
            follower = Follower(
                registry,
                balancer,
                self.note,
                SystemClock(),
                box="north",
                stacks=["shop"],
                tell=self.news.append,
            )
            async with running(follower.run()):
                yield balancer

    def told(self, kind: str) -> int:
        return sum(news.kind == kind for news in self.news)


class LastGoodContract:
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        raise NotImplementedError

    def run(self, scenario: Callable[[Scene], Awaitable[None]]) -> None:
        async def main() -> None:
            async with AsyncExitStack() as things:
                await things.enter_async_context(asyncio.timeout(110))
                stage = await things.enter_async_context(self.stage())
                registry = await things.enter_async_context(stage.client())
                boxes = Boxes(Announcer(registry, SystemClock(), "one"), SystemClock(), None)
                await things.enter_async_context(running(boxes.supervise()))
                await boxes.apply(routing(GREEN))
                await scenario(Scene(stage, boxes))

        asyncio.run(main())

    def test_frozen_then_thawed(self) -> None:
        async def scenario(scene: Scene) -> None:
            async with scene.box() as balancer:
                await until(carries(balancer, GREEN), PATIENCE)
                await scene.stage.freeze()
                await until(lambda: scene.told("registry.doubted") == 1, PATIENCE)
                assert carries(balancer, GREEN)()
                await scene.stage.thaw()
                await until(lambda: scene.told("registry.believed") == 1, PATIENCE)
                await until(lambda: switched(scene, BLUE), PATIENCE)
                await until(carries(balancer, BLUE), PATIENCE)

        self.run(scenario)

    def test_killed_and_started_again_with_its_data(self) -> None:
        async def scenario(scene: Scene) -> None:
            async with scene.box() as balancer:
                await until(carries(balancer, GREEN), PATIENCE)
                await scene.stage.kill()
                await until(lambda: scene.told("registry.doubted") == 1, PATIENCE)
                assert carries(balancer, GREEN)()
                await scene.stage.revive()
                await until(lambda: switched(scene, BLUE), PATIENCE)
                await until(carries(balancer, BLUE), PATIENCE)

        self.run(scenario)

    def test_down_at_boot_and_empty_when_it_comes(self) -> None:
        async def scenario(scene: Scene) -> None:
            async with scene.box() as balancer:
                await until(carries(balancer, GREEN), PATIENCE)
                await until(lambda: scene.note.text is not None, PATIENCE)
            await scene.stage.kill()
            async with scene.box() as balancer:
                await until(carries(balancer, GREEN), PATIENCE)  # from its own disk
                await until(lambda: scene.told("registry.doubted") == 1, PATIENCE)
                await scene.stage.revive(empty=True)
                await until(lambda: switched(scene, BLUE), PATIENCE)
                await until(carries(balancer, BLUE), PATIENCE)
                assert not [w for w in balancer.history if not w.get(WEB)]

        self.run(scenario)

    def test_an_entry_nobody_can_read_changes_nothing(self) -> None:
        async def scenario(scene: Scene) -> None:
            await scene.stage.spoil("shop", "shop-web-r1-9")
            async with scene.box() as balancer:
                await until(carries(balancer, GREEN), PATIENCE)
                await until(lambda: "shop-web-r1-9" in str(scene.news), PATIENCE)
                assert len(balancer.routing.pools[GREEN].servers) == 2

        self.run(scenario)

    def test_many_changes_are_taken_together(self) -> None:
        async def scenario(scene: Scene) -> None:
            async with scene.box() as balancer, scene.stage.client() as other:
                await until(carries(balancer, GREEN), PATIENCE)
                before = balancer.calls.count("apply")
                for number in range(300):
                    await other.write("shop", "noise", f"{number}", None)
                await until(lambda: switched(scene, BLUE), PATIENCE)
                await until(carries(balancer, BLUE), PATIENCE)
                assert balancer.calls.count("apply") - before < 10

        self.run(scenario)


def routing(live: PoolId) -> Routing:
    def pool(name: PoolId, color: str) -> Pool:
        return Pool(
            id=name,
            servers=tuple(
                Server(name=f"shop-web-r{color}-{n}", host="127.0.0.1", port=9000 + n) for n in (1, 2)
            ),
        )

    return Routing(
        listeners={80: Listener(port=80)},
        routes={WEB: Route(id=WEB, port=80, weights={live: 100})},
        pools={BLUE: pool(BLUE, "2"), GREEN: pool(GREEN, "1")},
    )


def carries(balancer: FakeBalancer, pool: PoolId) -> Callable[[], bool]:
    def condition() -> bool:
        return WEB in balancer.routing.routes and balancer.routing.routes[WEB].live == (pool,)

    return condition


async def switched(scene: Scene, target: PoolId) -> bool:
    with suppress(Temporary):
        await scene.boxes.apply(routing(target))
        return True
    return False
