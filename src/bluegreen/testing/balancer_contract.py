"""What every balancer driver must do, as a test suite.

Derive from :class:`BalancerContract` in a test module, implement ``stage``
(:class:`~bluegreen.testing.balancer_stage.BalancerSuite`), and pytest runs the suite against your driver.
Rule: the suite speaks only the vocabulary of :mod:`bluegreen.ports.balancer`; all that touches real
traffic goes through a :class:`~bluegreen.testing.balancer_stage.Stage`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import Admin, Listener, Pool, PoolOptions, Route, Routing, Server, ServerHealth
from bluegreen.testing.balancer_stage import (
    BLUE,
    CHECK,
    GREEN,
    WEB,
    BalancerSuite,
    Stage,
    answers,
    assert_unchanged,
    has_health,
    has_in_flight,
    is_closed,
    live,
    refusal,
    servers,
    until,
    with_route,
)


class BalancerContract(BalancerSuite):
    """See the module. What follows from health is in :mod:`bluegreen.testing.balancer_health_contract`."""

    # -- observing -----------------------------------------------------------------------------

    def test_before_the_first_apply_it_is_down(self) -> None:
        async def scenario(stage: Stage) -> None:
            assert await refusal(stage.balancer.observe()) == "balancer_down"

        self.run(scenario)

    def test_what_was_applied_is_observed(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            facts = await stage.balancer.observe()
            assert dict(facts.weights) == {WEB: {GREEN: 100}}
            assert set(facts.pools) == {BLUE, GREEN}
            for pool in (BLUE, GREEN):
                (server,) = routing.pools[pool].servers
                (seen,) = facts.pools[pool].servers
                assert (seen.name, seen.host, seen.port) == (server.name, server.host, server.port)
                assert seen.admin is Admin.READY

        self.run(scenario)

    def test_observing_some_pools_says_nothing_of_others(self) -> None:
        async def scenario(stage: Stage) -> None:
            await live(stage, GREEN)
            facts = await stage.balancer.observe([BLUE, PoolId("shop.unheard")])
            assert set(facts.pools) == {BLUE}
            assert dict(facts.weights) == {WEB: {GREEN: 100}}

        self.run(scenario)

    def test_a_request_in_flight_is_counted_for_its_pool(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            async with stage.hold(routing.routes[WEB].port):
                await until(has_in_flight(stage, GREEN, 1), "the request is seen")
                facts = await stage.balancer.observe([BLUE])
                assert facts.pools[BLUE].in_flight == 0
            await until(has_in_flight(stage, GREEN, 0), "its end is seen")

        self.run(scenario)

    # -- weights -------------------------------------------------------------------------------

    def test_a_switch_moves_every_new_request(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            port = routing.routes[WEB].port
            for pool in (BLUE, GREEN, BLUE):
                await stage.balancer.apply(routing.with_weights(WEB, {pool: 100}))
                assert {await stage.ask(port) for _ in range(5)} == {pool}
                assert dict((await stage.balancer.observe([])).weights) == {WEB: {pool: 100}}

        self.run(scenario)

    def test_a_split_reaches_both_pools(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            split = {GREEN: 60, BLUE: 40}
            await stage.balancer.apply(routing.with_weights(WEB, split))
            seen = [await stage.ask(routing.routes[WEB].port) for _ in range(100)]
            assert set(seen) == {BLUE, GREEN}
            assert dict((await stage.balancer.observe([])).weights) == {WEB: split}

        self.run(scenario)

    def test_a_route_without_weights_answers_503(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            await stage.balancer.apply(routing.with_weights(WEB, {}))
            assert await stage.ask(routing.routes[WEB].port) is None
            assert dict((await stage.balancer.observe([])).weights) == {WEB: {}}

        self.run(scenario)

    def test_several_routes_change_together(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            port = routing.routes[WEB].port
            api = Route(id=RouteId("shop.api"), port=port, path="/api", weights={GREEN: 100})
            two = with_route(routing, api)
            await stage.balancer.apply(two)
            await stage.balancer.apply(two.with_weights(WEB, {BLUE: 100}).with_weights(api.id, {BLUE: 100}))
            assert [await stage.ask(port), await stage.ask(port, path="/api/x")] == [BLUE, BLUE]

        self.run(scenario)

    def test_the_most_specific_route_wins(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            port = routing.routes[WEB].port
            here, there = {BLUE: 100}, {GREEN: 100}
            for name, host, path, weights in (
                ("exact", "a.example", None, here),
                ("wild", "*.example", None, there),
                ("path", None, "/api", here),
                ("longer", None, "/api/v2", there),
            ):
                route = Route(id=RouteId(f"shop.{name}"), port=port, host=host, path=path, weights=weights)
                routing = with_route(routing, route)
            await stage.balancer.apply(routing.with_weights(WEB, {}))
            asked = {
                ("a.example", "/"): BLUE,
                ("A.Example", "/x"): BLUE,
                ("b.example", "/"): GREEN,
                ("b.example", "/api/v1"): BLUE,
                ("a.example", "/api/v2/x"): GREEN,
                ("elsewhere.test", "/"): None,
            }
            assert {(h, p): await stage.ask(port, h, p) for h, p in asked} == asked

        self.run(scenario)

    # -- servers -------------------------------------------------------------------------------

    def test_servers_come_and_go(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            first = routing.pools[GREEN].servers
            for number in range(2, 5):
                host, port = await stage.instance(GREEN)
                added = (*first, Server(name=f"s{number}", host=host, port=port))
                await stage.balancer.apply(routing.with_servers(GREEN, added))
                await until(has_health(stage, GREEN, ServerHealth.UP), "the new server is seen up")
                assert [s.name for s in await servers(stage, GREEN)] == [s.name for s in added]
                await stage.balancer.apply(routing.with_servers(GREEN, added[1:]))
                assert [s.name for s in await servers(stage, GREEN)] == [f"s{number}"]
                await until(answers(stage, routing, GREEN), "it has the traffic")

        self.run(scenario)

    def test_a_removed_server_ends_its_requests(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            async with stage.hold(routing.routes[WEB].port):
                await until(has_in_flight(stage, GREEN, 1), "the request is seen")
                await stage.balancer.apply(routing.with_servers(GREEN, ()))
                assert await servers(stage, GREEN) == ()
                assert await has_in_flight(stage, GREEN, 1)()
            await until(has_in_flight(stage, GREEN, 0), "its end is seen")

        self.run(scenario)

    def test_a_name_comes_back_with_another_address_while_the_old_one_drains(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            (old,) = routing.pools[GREEN].servers
            async with stage.hold(routing.routes[WEB].port):
                await until(has_in_flight(stage, GREEN, 1), "the request is seen")
                host, port = await stage.instance(GREEN)
                moved = Server(name=old.name, host=host, port=port)
                await stage.balancer.apply(routing.with_servers(GREEN, (moved,)))
                (seen,) = await servers(stage, GREEN)
                assert (seen.name, seen.port) == (old.name, port)
                await until(answers(stage, routing, GREEN), "the new address answers")
                # Its own request may be seen for a moment after it was answered.
                await until(has_in_flight(stage, GREEN, 1), "the held request is counted still")

        self.run(scenario)

    def test_draining_and_maintenance_take_a_server_out(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            (server,) = routing.pools[GREEN].servers
            for admin in (Admin.DRAIN, Admin.MAINT, Admin.READY):
                changed = Server(name=server.name, host=server.host, port=server.port, admin=admin)
                await stage.balancer.apply(routing.with_servers(GREEN, (changed,)))
                assert [s.admin for s in await servers(stage, GREEN)] == [admin]
                wanted = GREEN if admin is Admin.READY else None
                await until(answers(stage, routing, wanted), f"{admin} decides who answers")

        self.run(scenario)

    # -- structure, refusals -------------------------------------------------------------------

    def test_listeners_come_and_go(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            port = stage.free_port()
            more = Routing(
                listeners={**routing.listeners, port: Listener(port=port, address="127.0.0.1")},
                routes={
                    **routing.routes,
                    RouteId("b"): Route(id=RouteId("b"), port=port, weights={BLUE: 100}),
                },
                pools=routing.pools,
            )
            await stage.balancer.apply(more)
            await until(has_health(stage, BLUE, ServerHealth.UP), "blue is up")
            assert await stage.ask(port) == BLUE
            await stage.balancer.apply(routing)
            await until(is_closed(stage, port), "the port is closed")

        self.run(scenario)

    def test_a_refused_routing_changes_nothing(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            bad = Pool(id=BLUE, check=CHECK, options=PoolOptions(extra=(stage.refused_line,)))
            refused = Routing(
                listeners=routing.listeners,
                routes=routing.with_weights(WEB, {BLUE: 100}).routes,
                pools={**routing.pools, BLUE: bad},
            )
            assert await refusal(stage.balancer.apply(refused)) == "balancer_refused"
            await assert_unchanged(stage, routing)

        self.run(scenario)

    def test_a_route_to_nowhere_is_refused(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            lost = routing.with_weights(WEB, {PoolId("shop.lost"): 100})
            assert await refusal(stage.balancer.apply(lost)) == "balancer_refused"
            await assert_unchanged(stage, routing)

        self.run(scenario)

    def test_a_port_of_somebody_else_is_refused(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            taken = stage.taken_port()
            greedy = Routing(
                listeners={**routing.listeners, taken: Listener(port=taken, address="127.0.0.1")},
                routes=routing.with_weights(WEB, {BLUE: 100}).routes,
                pools=routing.pools,
            )
            assert await refusal(stage.balancer.apply(greedy)) == "port_taken"
            await assert_unchanged(stage, routing)

        self.run(scenario)

    # -- life ----------------------------------------------------------------------------------

    def test_applying_the_same_again_is_fine(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            for _ in range(3):
                await stage.balancer.apply(routing)
            await assert_unchanged(stage, routing)

        self.run(scenario)

    def test_concurrent_applies_end_with_the_last_one(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            wanted = [routing.with_weights(WEB, {BLUE: n, GREEN: 100 - n}) for n in range(1, 9)]
            async with asyncio.TaskGroup() as tasks:
                for one in wanted:
                    tasks.create_task(stage.balancer.apply(one))
            assert dict((await stage.balancer.observe([])).weights) == {WEB: {BLUE: 8, GREEN: 92}}

        self.run(scenario)

    def test_a_new_controller_finds_it_as_it_was(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = (await live(stage, GREEN)).with_weights(WEB, {BLUE: 30, GREEN: 70})
            await stage.balancer.apply(routing)
            reopened = await stage.reopen()
            facts = await reopened.observe()
            assert dict(facts.weights) == {WEB: {BLUE: 30, GREEN: 70}}
            assert [s.name for s in facts.pools[GREEN].servers] == ["s1"]
            await reopened.apply(routing.with_weights(WEB, {BLUE: 100}))
            assert await stage.ask(routing.routes[WEB].port) == BLUE

        self.run(scenario)

    def test_after_a_stop_an_apply_starts_it(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            await stage.balancer.stop()
            assert await refusal(stage.balancer.observe()) == "balancer_down"
            await until(is_closed(stage, routing.routes[WEB].port), "the port is closed")
            await stage.balancer.apply(routing)
            await until(answers(stage, routing, GREEN), "it serves again")

        self.run(scenario)

    def test_a_dead_one_is_brought_back_with_what_was_last_applied(self) -> None:
        async def scenario(stage: Stage) -> None:
            routing = await live(stage, GREEN)
            await stage.balancer.apply(routing.with_weights(WEB, {BLUE: 100}))
            watch = asyncio.create_task(stage.balancer.supervise())
            try:
                await stage.kill()
                await until(answers(stage, routing, BLUE), "it serves again")
                assert dict((await stage.balancer.observe()).weights) == {WEB: {BLUE: 100}}
            finally:
                watch.cancel()
                with suppress(asyncio.CancelledError):
                    await watch
            assert await stage.ask(routing.routes[WEB].port) == BLUE  # cancelling leaves it running

        self.run(scenario)
