"""What a balancer that checks its servers must do about their health, as a test suite.

Beside :mod:`bluegreen.testing.balancer_contract`, for drivers whose ``checks`` is true; used in the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import cast

from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import (
    Admin,
    BalancerEvent,
    Maintenance,
    PoolOptions,
    Route,
    Routing,
    ServerHealth,
)
from bluegreen.ports.balancer import Balancer
from bluegreen.testing.balancer_stage import (
    BLUE,
    GREEN,
    WEB,
    BalancerSuite,
    Stage,
    answers,
    has_health,
    has_in_flight,
    live,
    servers,
    until,
    with_route,
)


class BalancerHealthContract(BalancerSuite):
    """See the module."""

    # -- checks --------------------------------------------------------------------------------

    def test_a_sick_server_is_down_and_is_not_asked(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await _strict(stage)
            (server,) = routing.pools[GREEN].servers
            await stage.fall_sick(server.host, server.port)
            await until(has_health(stage, GREEN, ServerHealth.DOWN), "the sick server is down")
            await until(answers(stage, routing, None), "it gets no requests")

        self.run(scenario)

    def test_the_last_good_servers_are_kept_when_the_check_fails_on_all(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            (server,) = routing.pools[GREEN].servers
            await stage.fall_sick(server.host, server.port)
            await until(has_health(stage, GREEN, ServerHealth.DOWN), "the sick server is down")
            assert {await stage.ask(routing.routes[WEB].port) for _ in range(5)} == {GREEN}
            assert [s.name for s in await servers(stage, GREEN)] == [server.name]
            for admin in (Admin.DRAIN, Admin.MAINT):
                out = routing.with_servers(GREEN, (replace(server, admin=admin),))
                await stage.balancer.apply(out)
                await until(answers(stage, routing, None), f"in {admin} it is not kept")
            await stage.balancer.apply(routing)
            assert await stage.ask(routing.routes[WEB].port) == GREEN
            await stage.balancer.apply(routing.with_servers(GREEN, ()))
            assert await stage.ask(routing.routes[WEB].port) is None

        self.run(scenario)

    def test_a_server_forced_up_is_asked_whatever_its_check_says(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await _strict(stage)
            (server,) = routing.pools[GREEN].servers
            await stage.fall_sick(server.host, server.port)
            await until(answers(stage, routing, None), "it gets no requests")
            forced = routing.with_servers(GREEN, (replace(server, forced_up=True),))
            await stage.balancer.apply(forced)
            assert {await stage.ask(routing.routes[WEB].port) for _ in range(5)} == {GREEN}
            assert await has_health(stage, GREEN, ServerHealth.UNCHECKED)()
            await (await stage.reopen()).apply(forced)
            assert await has_health(stage, GREEN, ServerHealth.UNCHECKED)()
            await stage.balancer.apply(routing)
            await until(has_health(stage, GREEN, ServerHealth.DOWN), "it is checked again")
            await until(answers(stage, routing, None), "it gets no requests again")

        self.run(scenario)

    def test_forcing_a_server_up_ends_no_request(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            (server,) = routing.pools[GREEN].servers
            async with stage.hold(routing.routes[WEB].port):
                await until(has_in_flight(stage, GREEN, 1), "the request is seen")
                for forced in (True, False):
                    changed = replace(server, forced_up=forced)
                    await stage.balancer.apply(routing.with_servers(GREEN, (changed,)))
                    assert await has_in_flight(stage, GREEN, 1)()
            await until(has_in_flight(stage, GREEN, 0), "its end is seen")

        self.run(scenario)

    # -- events --------------------------------------------------------------------------------

    def test_events_tell_what_the_check_finds(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            (server,) = routing.pools[GREEN].servers
            async with aclosing(_events(stage.balancer)) as events:
                assert (await anext(events)).pool is None, "there may have been some before"
                await stage.fall_sick(server.host, server.port)
                down = await _next_of(events, GREEN)
                assert (down.server, down.health) == (server.name, ServerHealth.DOWN)
                assert down.why
                assert down.at > 0
                await stage.get_well(server.host, server.port)
                up = await _next_of(events, GREEN)
                assert (up.server, up.health) == (server.name, ServerHealth.UP)

        self.run(scenario)

    def test_events_begin_anew_with_a_new_controller_and_a_new_data_plane(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            (server,) = routing.pools[GREEN].servers
            async with aclosing(_events(stage.balancer)) as events:
                await anext(events)
            reopened = await stage.reopen()
            async with AsyncExitStack() as things, aclosing(_events(reopened)) as events:
                watch = asyncio.create_task(reopened.supervise())
                things.callback(watch.cancel)
                assert (await anext(events)).pool is None
                await stage.kill()
                await until(answers(stage, routing, GREEN), "it serves again")
                await _next_of(events, None)
                await reopened.observe()  # which is what such an event asks for
                await stage.fall_sick(server.host, server.port)
                assert (await _next_of(events, GREEN)).health is ServerHealth.DOWN

        self.run(scenario)

    # -- cutting -------------------------------------------------------------------------------

    def test_cutting_a_pool_ends_what_is_open_there_and_nothing_else(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            port = routing.routes[WEB].port
            async with stage.stream(port) as green_ended:
                await until(has_in_flight(stage, GREEN, 1), "green's stream is seen")
                await stage.balancer.apply(routing.with_weights(WEB, {BLUE: 100}))
                async with stage.stream(port) as blue_ended, stage.hold(port):
                    await until(has_in_flight(stage, BLUE, 2), "blue's are seen")
                    await stage.balancer.cut(GREEN)
                    await until(green_ended, "green's stream ends")
                    await until(has_in_flight(stage, GREEN, 0), "nothing is left there")
                    assert not await blue_ended()
                    assert await has_in_flight(stage, BLUE, 2)()
            assert await stage.ask(port) == BLUE

        self.run(scenario)

    def test_cutting_reaches_a_server_that_was_removed(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            async with stage.stream(routing.routes[WEB].port) as ended:
                await until(has_in_flight(stage, GREEN, 1), "the stream is seen")
                await stage.balancer.apply(routing.with_servers(GREEN, ()))
                assert not await ended()
                await stage.balancer.cut(GREEN)
                await until(ended, "it ends")

        self.run(scenario)

    def test_cutting_where_nothing_is_open_is_fine(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            for pool in (BLUE, GREEN, PoolId("shop.unheard")):
                await stage.balancer.cut(pool)
            assert await stage.ask(routing.routes[WEB].port) == GREEN

        self.run(scenario)

    # -- maintenance ---------------------------------------------------------------------------

    def test_a_route_in_maintenance_answers_503_and_its_health_path_200(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            port = routing.routes[WEB].port
            api = Route(id=RouteId("shop.api"), port=port, path="/api", weights={GREEN: 100})
            routing = with_route(routing, api)
            closed = _with_maintenance(routing, Maintenance(why="disks", health_path="/health"))
            await stage.balancer.apply(closed)
            assert await stage.ask(port) is None
            assert [await stage.status(port, path) for path in ("/", "/health/x")] == [503, 503]
            for method in ("GET", "OPTIONS", "POST"):
                assert await stage.status(port, "/health", method) == 200
            assert await stage.ask(port, path="/api/x") == GREEN, "other routes are not affected"
            await stage.balancer.apply(closed.with_weights(WEB, {BLUE: 100}))
            assert (await stage.balancer.observe([])).weights[WEB] == {BLUE: 100}
            assert await stage.ask(port) is None
            await stage.balancer.apply(routing.with_weights(WEB, {BLUE: 100}))
            assert await stage.ask(port) == BLUE

        self.run(scenario)

    def test_maintenance_outlives_the_controller(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            closed = _with_maintenance(routing, Maintenance(since=1.0))
            await stage.balancer.apply(closed)
            await (await stage.reopen()).apply(_with_maintenance(routing, Maintenance(since=2.0)))
            assert await stage.ask(routing.routes[WEB].port) is None

        self.run(scenario)


async def _strict(stage: Stage) -> Routing:
    """Apply two colors that are live on green, where a sick instance gets nothing even if it is the last."""
    routing = await live(stage, GREEN)
    options = PoolOptions(keep_last_good=False)
    strict = {name: replace(pool, options=options) for name, pool in routing.pools.items()}
    routing = replace(routing, pools=strict)
    await stage.balancer.apply(routing)
    await until(has_health(stage, GREEN, ServerHealth.UP), "green is up")
    return routing


def _with_maintenance(routing: Routing, maintenance: Maintenance) -> Routing:
    return with_route(routing, replace(routing.routes[WEB], maintenance=maintenance))


def _events(balancer: Balancer) -> AsyncGenerator[BalancerEvent, None]:
    return cast(AsyncGenerator[BalancerEvent, None], balancer.events())


async def _next_of(events: AsyncIterator[BalancerEvent], pool: PoolId | None) -> BalancerEvent:
    async for event in events:
        if event.pool == pool:
            return event
    raise AssertionError("the events ended")
