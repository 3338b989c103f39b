"""Who gets requests when checks and users disagree, or the check fails on all; what is forced up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bluegreen.domain.naming import RouteId
from bluegreen.domain.routing import (
    Route,
    ServerHealth,
)
from bluegreen.testing.balancer_stage import (
    GREEN,
    WEB,
    live,
    until,
    with_route,
)
from tests.support.haproxy_health import (
    NEVER,
    backend,
    healths,
    is_seen,
    knows,
    listening,
    only,
    true_of,
    tunnel,
    two,
)
from tests.support.haproxy_stage import HaproxyStage
from tests.support.haproxy_ways import Play
from tests.support.mixed_load import mixed_load

# -- passive checks ----------------------------------------------------------------------------


def test_an_instance_that_fails_its_users_is_taken_out_though_its_ping_is_well(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage, NEVER, passive_errors=5)
        port = routing.routes[WEB].port
        doomed = await only(stage, routing, 0)
        for _ in range(5):
            assert await stage.status(port, "/fail") == 503
        await stage.balancer.apply(routing)
        assert (await healths(stage))[0] == "down"
        before = doomed.seen.total()
        assert {await stage.status(port) for _ in range(10)} == {200}
        assert doomed.seen.total() == before

    play(scenario)


def test_only_errors_in_a_row_take_an_instance_out(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage, NEVER, passive_errors=5)
        await only(stage, routing, 0)
        for _ in range(10):
            for path in ("/fail", "/fail", "/fail", "/fail", "/"):
                await stage.status(routing.routes[WEB].port, path)
        assert (await healths(stage))[0] == "up"

    play(scenario)


def test_nobody_watches_the_answers_when_that_was_not_wanted(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage, NEVER, passive_errors=None)
        for _ in range(60):
            await stage.status(routing.routes[WEB].port, "/fail")
        assert await healths(stage) == ["up", "up"]

    play(scenario)


def test_it_comes_back_when_its_check_passes(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage, passive_errors=3)
        await only(stage, routing, 0)
        async with listening(stage) as heard:

            def story() -> list[tuple[str, ServerHealth]]:
                return [(event.server, event.health) for event in heard if event.pool == GREEN]

            port = routing.routes[WEB].port
            while not story():  # a check that passes in between begins the count anew
                await asyncio.gather(*(stage.status(port, "/fail") for _ in range(3)))
            wanted = [("s1", ServerHealth.DOWN), ("s1", ServerHealth.UP)]
            await until(true_of(lambda: story() == wanted), "out, and in again")
            assert "consecutive errors" in next(event.why for event in heard if event.server)

    play(scenario)


def test_a_pool_whose_every_instance_fails_its_users_goes_on_being_served(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage, NEVER, passive_errors=2)
        port = routing.routes[WEB].port
        for _ in range(20):
            await stage.status(port, "/fail")
        assert await healths(stage) == ["down", "down"]
        assert {await stage.status(port) for _ in range(10)} == {200}
        assert sum(backend(stage, routing, n).seen["GET /fail"] for n in (0, 1)) == 20

    play(scenario)


# -- the last good -----------------------------------------------------------------------------


def test_a_check_that_fails_everywhere_fails_no_request(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage)
        instances = [backend(stage, routing, number) for number in (0, 1)]
        async with mixed_load(routing.routes[WEB].port) as load:
            for well, health in ((False, "down"), (True, "up"), (False, "down")):
                for instance in instances:
                    instance.well = well
                await until(is_seen(stage, health, health), f"all are {health}")
                before = [instance.seen.total() for instance in instances]
                await until(
                    true_of(
                        lambda before=before: all(  # type: ignore[misc]
                            instance.seen.total() > count + 20
                            for instance, count in zip(instances, before, strict=True)
                        )
                    ),
                    f"both are asked while {health}",
                )
        assert load.failed == []

    play(scenario)


def test_one_of_two_sick_instances_may_die_without_a_failed_request(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage)
        instances = [backend(stage, routing, number) for number in (0, 1)]
        for instance in instances:
            instance.well = False
        await until(is_seen(stage, "down", "down"), "all are down")
        port = routing.routes[WEB].port
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(stage.request(port, path="/slow")) for _ in range(20)]
            await until(true_of(lambda: instances[0].seen.total() > 0), "one is in flight there")
            await instances[0].die()
        assert [task.result()[0] for task in asked] == [200] * 20

    play(scenario)


def test_an_instance_that_leaves_while_all_are_sick_gets_no_more(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage)
        port = routing.routes[WEB].port
        for number in (0, 1):
            backend(stage, routing, number).well = False
        await until(is_seen(stage, "down", "down"), "all are down")
        async with mixed_load(port) as load:
            await stage.balancer.apply(routing.with_servers(GREEN, routing.pools[GREEN].servers[1:]))
            await until(_has_no(stage, "s1"), "it is gone, and its twin")
            before = backend(stage, routing, 0).seen.total()
            wanted = load.answered.total() + 50
            await until(true_of(lambda: load.answered.total() > wanted), "the other one serves")
            assert backend(stage, routing, 0).seen.total() == before
        assert load.failed == []

    play(scenario)


def test_a_twin_that_a_dead_controller_did_not_add_is_added(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        twin = f"{GREEN}/s1:last"
        await stage.api().attempt([f"set server {twin} state maint", f"del server {twin}"])
        assert await stage.servers_of(GREEN) - {"s1:probe"} == {"s1"}
        await stage.reopen()
        async with mixed_load(routing.routes[WEB].port) as load:
            await stage.balancer.apply(routing)
        assert load.failed == []
        assert await stage.servers_of(GREEN) >= {"s1", "s1:last"}

    play(scenario)


# -- forced up ---------------------------------------------------------------------------------


def test_forcing_up_and_back_reloads_nothing_and_fails_no_request(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage)
        first, second = routing.pools[GREEN].servers
        before = set(stage.processes())
        async with mixed_load(routing.routes[WEB].port) as load, tunnel(stage, routing) as said_back:
            for number in range(10):
                forced = replace(first, forced_up=number % 2 == 0)
                await stage.balancer.apply(routing.with_servers(GREEN, (forced, second)))
                wanted = load.answered.total() + 20
                await until(true_of(lambda wanted=wanted: load.answered.total() > wanted), "it serves")  # type: ignore[misc]
            assert await said_back(b"still here")
        assert load.failed == []
        assert set(stage.processes()) == before
        await until(knows(stage, 2), "what was replaced is gone")

    play(scenario)


def test_users_errors_do_not_take_out_what_is_forced_up(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await two(stage, passive_errors=2)
        (first, second) = routing.pools[GREEN].servers
        forced = replace(first, forced_up=True)
        await stage.balancer.apply(routing.with_servers(GREEN, (forced,)))
        for _ in range(10):
            await stage.status(routing.routes[WEB].port, "/fail")
        await stage.balancer.apply(routing.with_servers(GREEN, (forced, second)))
        before = backend(stage, routing, 0).seen["GET /"]
        assert {await stage.status(routing.routes[WEB].port) for _ in range(10)} == {200}
        assert backend(stage, routing, 0).seen["GET /"] > before
        assert (await healths(stage))[0] == "unchecked"

    play(scenario)


def test_what_is_forced_up_stays_so_over_a_reload_and_a_restart(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        (server,) = routing.pools[GREEN].servers
        await stage.fall_sick(server.host, server.port)
        await until(is_seen(stage, "down"), "it is down")
        forced = routing.with_servers(GREEN, (replace(server, forced_up=True),))
        await stage.balancer.apply(forced)
        port = routing.routes[WEB].port
        more = with_route(forced, Route(id=RouteId("new"), port=port, host="new", weights={}))
        await stage.balancer.apply(more)
        assert (await healths(stage), await stage.ask(port)) == (["unchecked"], GREEN)
        await stage.kill()
        await stage.balancer.apply(more)
        assert (await healths(stage), await stage.ask(port)) == (["unchecked"], GREEN)
        await stage.balancer.apply(more.with_servers(GREEN, (server,)))
        await until(is_seen(stage, "down"), "it is checked again")

    play(scenario)


def _has_no(stage: HaproxyStage, name: str) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return not any(each.split(":")[0] == name for each in await stage.servers_of(GREEN))

    return condition
