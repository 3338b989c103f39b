"""What is NGINX's own: reloads under load, workers that outlive their master, what a cut reaches."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from bluegreen.domain.errors import UserError
from bluegreen.drivers.balancers.nginx import processes
from bluegreen.drivers.balancers.nginx.binary import find_binary
from bluegreen.testing.balancer_stage import BLUE, GREEN, WEB, answers, has_in_flight, live, until
from tests.support.mixed_load import mixed_load
from tests.support.nginx_stage import NginxStage, nginx_stage


def play(scenario: Callable[[NginxStage], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(100), nginx_stage() as stage:
            await scenario(stage)

    asyncio.run(main())


def test_switches_under_load_lose_nothing() -> None:
    """Clients' idle connections, which a reload closes, are not kept by default."""

    async def scenario(stage: NginxStage) -> None:
        routing = await live(stage, GREEN)
        async with mixed_load(routing.routes[WEB].port) as load:
            for pool in (BLUE, GREEN) * 3:
                await stage.balancer.apply(routing.with_weights(WEB, {pool: 100}))
        assert set(load.answered) == {BLUE, GREEN}
        assert load.failed == []

    play(scenario)


def test_workers_go_on_serving_while_their_master_is_replaced() -> None:
    async def scenario(stage: NginxStage) -> None:
        routing = await live(stage, GREEN)
        before = processes.of_folder(stage.folder / "state")
        assert before.master is not None
        async with stage.hold(routing.routes[WEB].port):
            await until(has_in_flight(stage, GREEN, 1), "the request is seen")
            processes.tell([before.master], signal.SIGKILL)
            assert await stage.ask(routing.routes[WEB].port) == GREEN
            watch = asyncio.create_task(stage.balancer.supervise())

            async def replaced() -> bool:
                return processes.of_folder(stage.folder / "state").master not in (None, before.master)

            await until(replaced, "there is another master")
            await until(answers(stage, routing, GREEN), "it serves")
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch

    play(scenario)


def test_a_cut_ends_what_a_former_configuration_still_serves() -> None:
    async def scenario(stage: NginxStage) -> None:
        routing = await live(stage, GREEN)
        port = routing.routes[WEB].port
        for backend in stage.backends.values():
            backend.release.clear()
        held = asyncio.create_task(stage.request(port, path="/hold"))
        await until(has_in_flight(stage, GREEN, 1), "the request is seen")
        await stage.balancer.apply(routing.with_weights(WEB, {BLUE: 100}))
        await stage.balancer.cut(BLUE)
        assert await has_in_flight(stage, GREEN, 1)()
        await stage.balancer.cut(GREEN)
        assert await held == (0, "")
        assert await stage.ask(port) == BLUE

    play(scenario)


def test_a_missing_program_is_named() -> None:
    with pytest.raises(UserError) as seen:
        find_binary("/nowhere/nginx")
    assert seen.value.code == "nginx_missing"
    assert "/nowhere/nginx" in seen.value.message
