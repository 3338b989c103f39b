"""A box keeps its traffic whatever its registry does: one suite, played on each registry.

The registry is the real one of its driver's contract stage; the balancer is the fake, so that what it was
told can be read. With real traffic the same is shown in ``tests/e2e/test_boxes.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import Protocol

import pytest

from bluegreen.domain.errors import Temporary
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.publication import REVISION, STRUCTURE, Share
from bluegreen.domain.routing import Admin, Listener, Pool, Route, Routing, Server
from bluegreen.drivers.clock import SystemClock
from bluegreen.engine.announcer import Announcer
from bluegreen.engine.boxes import Boxes
from bluegreen.engine.follower import Follower, News
from bluegreen.engine.pictures import share_key
from bluegreen.ports.clock import Clock
from bluegreen.ports.codec import encode
from bluegreen.testing import registry_contract
from bluegreen.testing.background import running
from bluegreen.testing.fake_balancer import FakeBalancer
from bluegreen.testing.fake_keepsake import FakeKeepsake
from bluegreen.testing.waiting import until

BLUE, GREEN, WEB = PoolId("shop.web.blue"), PoolId("shop.web.green"), RouteId("shop.web")
WEIGHTS = share_key(WEB, "shop")
PATIENCE = 40.0
HOUR = 3600.0


class Stage(registry_contract.Stage, Protocol):
    async def lose(self, stack: str, key: str) -> None:
        """Let a document be gone, as if nobody had ever written it."""
        ...


class SkewedClock(SystemClock):
    """A clock that differs from everybody else's by ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        return super().now() + self._seconds


class Scene:
    def __init__(self, stage: Stage, boxes: Boxes) -> None:
        self.stage = stage
        self.boxes = boxes
        self.note = FakeKeepsake()
        self.news: list[News] = []

    @asynccontextmanager
    async def box(self, clock: Clock | None = None) -> AsyncIterator[FakeBalancer]:
        async with self.stage.client() as registry:
            balancer = FakeBalancer()
            follower = Follower(
                registry,
                balancer,
                self.note,
                clock or SystemClock(),
                box="north",
                stacks=["shop"],
                tell=self.news.append,
            )
            async with running(follower.run()):
                yield balancer

    @asynccontextmanager
    async def controller(self, clock: Clock | None = None) -> AsyncIterator[Boxes]:
        """Run one more controller, that of a machine of its own."""
        clock = clock or SystemClock()
        async with self.stage.client() as registry:
            boxes = Boxes(Announcer(registry, clock, "one"), clock, None)
            async with running(boxes.supervise()):
                yield boxes

    def told(self, kind: str) -> int:
        return sum(news.kind == kind for news in self.news)


class LastGoodContract:
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        raise NotImplementedError

    def run(self, scenario: Callable[[Scene], Awaitable[None]], *, controller: bool = True) -> None:
        """Play ``scenario`` after green was published; without ``controller`` nobody tells it again."""

        async def main() -> None:
            async with AsyncExitStack() as things:
                await things.enter_async_context(asyncio.timeout(110))
                stage = await things.enter_async_context(self.stage())
                registry = await things.enter_async_context(stage.client())
                boxes = Boxes(Announcer(registry, SystemClock(), "one"), SystemClock(), None)
                if controller:
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
                await until(lambda: switched(scene.boxes, BLUE), PATIENCE)
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
                await until(lambda: switched(scene.boxes, BLUE), PATIENCE)
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
                await until(lambda: switched(scene.boxes, BLUE), PATIENCE)
                await until(carries(balancer, BLUE), PATIENCE)
                assert not [w for w in balancer.history if not w.get(WEB)]

        self.run(scenario)

    def test_a_registry_that_comes_and_goes_moves_nobody(self) -> None:
        async def scenario(scene: Scene) -> None:
            async with scene.box() as balancer:
                await until(carries(balancer, GREEN), PATIENCE)
                for target in (BLUE, GREEN):
                    await scene.stage.kill()
                    await scene.stage.revive()
                    await scene.stage.freeze()
                    await scene.stage.thaw()
                    await until(lambda target=target: switched(scene.boxes, target), PATIENCE)
                    await until(carries(balancer, target), PATIENCE)
                assert [dict(w[WEB]) for w in balancer.history if WEB in w] == [
                    {pool: 100} for pool in (GREEN, BLUE, GREEN)
                ]

        self.run(scenario)

    @pytest.mark.parametrize("lost", [STRUCTURE, WEIGHTS, "all documents", "an instance", "all instances"])
    def test_of_what_is_gone_the_last_good_stays(self, lost: str) -> None:
        async def scenario(scene: Scene) -> None:
            async with scene.box() as balancer:
                await until(carries(balancer, GREEN), PATIENCE)
                await lose(scene.stage, lost)
                await until(lambda: scene.told("registry.doubted") == 1, PATIENCE)
                assert carries(balancer, GREEN)()
                assert [s.admin for s in balancer.routing.pools[GREEN].servers] == [Admin.READY] * 2
                async with scene.controller() as successor:
                    await until(lambda: switched(successor, BLUE), PATIENCE)
                    await until(carries(balancer, BLUE), PATIENCE)
                    await until(lambda: scene.told("registry.believed") >= 1, PATIENCE)
                assert all(w.get(WEB) for w in balancer.history)

        self.run(scenario, controller=False)

    def test_what_is_older_than_what_was_seen_is_not_followed(self) -> None:
        """As a server shows it that was left behind, or a backup that was put back."""

        async def scenario(scene: Scene) -> None:
            async with scene.box() as balancer, scene.stage.client() as other:
                await until(carries(balancer, GREEN), PATIENCE)
                old = Share(revision=1, weights={BLUE: 100}, owner="one")
                await other.write("shop", WEIGHTS, encode(old), None)
                await until(lambda: "older than it was seen" in str(scene.news), PATIENCE)
                assert carries(balancer, GREEN)()
                async with scene.controller() as successor:
                    await until(lambda: switched(successor, BLUE), PATIENCE)
                    await until(carries(balancer, BLUE), PATIENCE)

        self.run(scenario, controller=False)

    @pytest.mark.parametrize("controllers", [-HOUR, HOUR])
    @pytest.mark.parametrize("boxs", [-HOUR, HOUR])
    def test_clocks_that_differ_hold_up_nobody(self, controllers: float, boxs: float) -> None:
        async def scenario(scene: Scene) -> None:
            async with scene.box(SkewedClock(boxs)) as balancer:
                await until(carries(balancer, GREEN), PATIENCE)
                async with scene.controller(SkewedClock(controllers)) as skewed:
                    await skewed.apply(routing(BLUE))
                    await until(carries(balancer, BLUE), PATIENCE)
                async with scene.controller() as right_again:
                    await right_again.apply(routing(GREEN))
                    await until(carries(balancer, GREEN), PATIENCE)
                assert "older" not in str(scene.news)

        self.run(scenario, controller=False)

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
                await until(lambda: switched(scene.boxes, BLUE), PATIENCE)
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


async def switched(controller: Boxes, target: PoolId) -> bool:
    with suppress(Temporary):
        await controller.apply(routing(target))
        return True
    return False


async def lose(stage: Stage, what: str) -> None:
    """Take ``what`` out of the registry: a document by its key, or as the table of the test says."""
    if what in ("an instance", "all instances"):
        async with stage.client() as other:
            listing = await other.list("shop")
            left = sorted(listing.announcements.items())[1 if what == "an instance" else 4 :]
            await other.announce("shop", [one for _, one in left])
        return
    for key in (STRUCTURE, WEIGHTS, REVISION) if what == "all documents" else (what,):
        await stage.lose("shop", key)
