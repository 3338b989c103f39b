"""HAProxy outlives the controller and its own death; nothing that was refused leaves a trace."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary, UserError
from bluegreen.domain.naming import RouteId
from bluegreen.domain.routing import Listener, Pool, PoolOptions, Route, Routing, Server, ServerHealth
from bluegreen.drivers.balancers.haproxy import Options, open_balancer
from bluegreen.drivers.balancers.haproxy.stats import Workers, workers_of
from bluegreen.testing.balancer_stage import (
    BLUE,
    CHECK,
    GREEN,
    WEB,
    answers,
    has_health,
    live,
    until,
    with_route,
)
from tests.support.haproxy_stage import HaproxyStage, haproxy_stage
from tests.support.haproxy_ways import Play


async def workers(stage: HaproxyStage) -> Workers:
    found = workers_of(await stage.api().ask("show proc", master=True))
    assert found is not None
    return found


@asynccontextmanager
async def supervised(stage: HaproxyStage) -> AsyncIterator[None]:
    watch = asyncio.create_task(stage.balancer.supervise())
    try:
        yield
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch


def test_a_new_controller_that_wants_the_same_reloads_nothing(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = (await live(stage, GREEN)).with_weights(WEB, {BLUE: 100})
        await stage.balancer.apply(routing)
        before = await workers(stage)
        await stage.reopen()
        await stage.balancer.apply(routing)
        assert await workers(stage) == before

    play(scenario)


def test_a_new_controller_that_wants_other_servers_and_weights_reloads_nothing(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        before = await workers(stage)
        host, port = await stage.instance(GREEN)
        await stage.reopen()
        moved = routing.with_servers(GREEN, (Server(name="s1", host=host, port=port),))
        await stage.balancer.apply(moved.with_weights(WEB, {BLUE: 10, GREEN: 90}))
        assert await workers(stage) == before
        facts = await stage.balancer.observe()
        assert [s.port for s in facts.pools[GREEN].servers] == [port]
        assert dict(facts.weights) == {WEB: {BLUE: 10, GREEN: 90}}

    play(scenario)


def test_a_change_that_a_dead_controller_left_half_done_is_healed(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        host, port = await stage.instance(GREEN)
        await stage.api().command(
            [f"add server {GREEN}/s9 {host}:{port}", f"set server {GREEN}/s9 state ready"]
        )
        await stage.reopen()
        facts = await stage.balancer.observe()
        assert [s.name for s in facts.pools[GREEN].servers] == ["s1"]
        await until(_knows(stage, {"s1"}), "the server nobody asked for is gone")
        await stage.balancer.apply(routing)

    play(scenario)


@pytest.mark.parametrize("victim", ["master", "current"])
def test_the_death_of_one_process_is_repaired(play: Play, victim: str) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = (await live(stage, GREEN)).with_weights(WEB, {BLUE: 100})
        await stage.balancer.apply(routing)
        async with supervised(stage):
            before = await workers(stage)
            os.kill(getattr(before, victim), signal.SIGKILL)
            await until(_is_another(stage, before), "another HAProxy runs")
            await until(answers(stage, routing, BLUE), "it serves as before")
            await until(has_health(stage, BLUE, ServerHealth.UP), "its servers are checked")

    play(scenario)


def test_a_controller_that_applied_nothing_revives_what_the_files_say(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        for weights in ({GREEN: 50, BLUE: 50}, {BLUE: 100}):
            await stage.balancer.apply(routing.with_weights(WEB, weights))
        await stage.kill()
        await stage.reopen()
        async with supervised(stage):
            await until(answers(stage, routing, BLUE), "it serves again")
            assert dict((await stage.balancer.observe()).weights) == {WEB: {BLUE: 100}}

    play(scenario)


def test_without_supervision_the_next_apply_starts_it(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        await stage.kill()
        switched = routing.with_weights(WEB, {BLUE: 100})
        await stage.balancer.apply(switched)
        await until(answers(stage, routing, BLUE), "it serves the new weights")
        await stage.kill()
        await stage.balancer.apply(switched)
        await until(answers(stage, routing, BLUE), "the same routing starts it too")

    play(scenario)


def test_a_hung_haproxy_is_told_from_a_dead_one(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        found = await workers(stage)
        for pid in (found.master, found.current):
            os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(Temporary) as seen:
                await stage.balancer.apply(routing.with_weights(WEB, {BLUE: 100}))
            assert seen.value.code == "balancer_hung"
        finally:
            for pid in (found.master, found.current):
                os.kill(pid, signal.SIGCONT)
        await stage.balancer.apply(routing.with_weights(WEB, {BLUE: 100}))
        assert await stage.ask(routing.routes[WEB].port) == BLUE
        assert await workers(stage) == found

    play(scenario)


def test_a_refusal_quotes_haproxy_and_its_line_and_leaves_no_trace(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        files = _listing(stage)
        bad = Pool(id=BLUE, check=CHECK, options=PoolOptions(extra=(stage.refused_line,)))
        with pytest.raises(Permanent) as seen:
            await stage.balancer.apply(replace(routing, pools={**routing.pools, BLUE: bad}))
        evidence = dict(seen.value.evidence)
        assert "unknown keyword 'no-such-keyword'" in evidence["haproxy"]
        assert stage.refused_line in evidence.values()
        assert _listing(stage) - {"candidate.cfg", "said.log"} == files - {"candidate.cfg", "said.log"}

    play(scenario)


def test_a_taken_port_is_refused_with_the_name_of_who_has_it(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        taken = stage.taken_port()
        routing = Routing(listeners={taken: Listener(port=taken, address="127.0.0.1")})
        with pytest.raises(UserError) as seen:
            await stage.balancer.apply(routing)
        assert seen.value.code == "port_taken"
        assert f"(pid {os.getpid()})" in seen.value.message
        assert psutil.Process().name() in seen.value.message

    play(scenario)


def test_an_address_widens_while_haproxy_holds_the_port(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        port = routing.routes[WEB].port
        await stage.balancer.apply(replace(routing, listeners={port: Listener(port=port)}))
        assert await stage.ask(port) == GREEN

    play(scenario)


def test_a_state_folder_with_a_long_path_works(tmp_path: Path) -> None:
    async def main() -> None:
        deep = tmp_path / ("a folder with a name of some length " * 3) / ("b" * 80)
        async with (
            asyncio.timeout(30),
            haproxy_stage() as stage,
            open_balancer(Options(state_dir=deep, stop_grace=0)) as balancer,
        ):
            port = stage.free_port()
            route = Route(id=WEB, port=port, weights={})
            listener = Listener(port=port, address="127.0.0.1")
            try:
                await balancer.apply(Routing(listeners={port: listener}, routes={WEB: route}))
                assert await stage.request(port) == (503, "no release of shop.web has the traffic yet\n")
                assert {oct(f.stat().st_mode & 0o77) for f in deep.iterdir()} == {"0o0"}
            finally:
                await balancer.stop()

    asyncio.run(main())


def test_what_was_down_stays_down_over_a_reload(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        pool = replace(routing.pools[GREEN], options=PoolOptions(keep_last_good=False))
        routing = replace(routing, pools={**routing.pools, GREEN: pool})
        await stage.balancer.apply(routing)
        (server,) = pool.servers
        await stage.fall_sick(server.host, server.port)
        await until(has_health(stage, GREEN, ServerHealth.DOWN), "it is down")
        await until(answers(stage, routing, None), "it gets no requests")
        port = routing.routes[WEB].port
        await stage.balancer.apply(
            with_route(routing, Route(id=RouteId("new"), port=port, host="new", weights={}))
        )
        assert await stage.ask(port) is None
        assert await has_health(stage, GREEN, ServerHealth.DOWN)()

    play(scenario)


def test_servers_behind_a_cookie_change_too(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        sticky = replace(routing.pools[GREEN], options=PoolOptions(cookie="SRV"))
        routing = replace(routing, pools={**routing.pools, GREEN: sticky})
        await stage.balancer.apply(routing)
        host, port = await stage.instance(GREEN)
        moved = routing.with_servers(GREEN, (Server(name="s2", host=host, port=port),))
        await stage.balancer.apply(moved)
        assert await stage.ask(routing.routes[WEB].port) == GREEN
        assert stage.backends[host, port].seen.total() == 1

    play(scenario)


def _listing(stage: HaproxyStage) -> set[str]:
    return {path.name for path in (stage.folder / "state").iterdir()}


def _knows(stage: HaproxyStage, names: set[str]) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return await stage.has_only(GREEN, names)

    return condition


def _is_another(stage: HaproxyStage, before: Workers) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        try:
            found = await workers(stage)
        except (BluegreenError, AssertionError):
            return False
        return found.master != before.master and found.current != before.current

    return condition
