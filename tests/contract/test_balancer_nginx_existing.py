"""An NGINX of somebody else: it includes what we write, goes on with what it had, and is never ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import Listener, Maintenance, Mode, Pool, PoolOptions, Route, Routing, Server
from bluegreen.drivers.balancers.nginx import Options, open_balancer, processes
from bluegreen.testing.balancer_stage import BLUE, GREEN, WEB, answers, live, two_colors, until
from tests.support.nginx_stage import NginxStage, strangers
from tests.support.strangers_nginx import StrangersNginx

Scenario = Callable[[NginxStage, StrangersNginx], Awaitable[None]]


def play(scenario: Scenario) -> None:
    async def main() -> None:
        with TemporaryDirectory(prefix="bg-") as name:
            folder = Path(name)
            async with asyncio.timeout(100), strangers(folder) as stranger, AsyncExitStack() as things:
                stage = NginxStage(folder, things, {"run": "existing", **stranger.options})
                await stage.reopen()
                try:
                    await scenario(stage, stranger)
                finally:
                    await stage.close()

    asyncio.run(main())


async def theirs(stranger: StrangersNginx) -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"http://127.0.0.1:{stranger.port}/")).text


async def refusal(call: Awaitable[object]) -> BluegreenError:
    with pytest.raises(BluegreenError) as seen:
        await call
    return seen.value


def test_it_goes_on_with_what_it_had_and_ends_by_nobody_but_its_own() -> None:
    async def scenario(stage: NginxStage, stranger: StrangersNginx) -> None:
        master = stage.found().master
        routing = await live(stage, GREEN)
        await stage.balancer.apply(routing.with_weights(WEB, {BLUE: 100}))
        assert await stage.ask(routing.routes[WEB].port) == BLUE
        assert await theirs(stranger) == "theirs\n"
        await stage.balancer.stop()
        assert await theirs(stranger) == "theirs\n"
        assert (stage.found().master, stranger.starts) == (master, 1)
        assert os.listdir(stage.options().include_dir) == [], "nothing of ours is left"

    play(scenario)


def test_it_comes_back_without_us() -> None:
    async def scenario(stage: NginxStage, stranger: StrangersNginx) -> None:
        routing = await live(stage, GREEN)
        await stage.kill()
        await until(answers(stage, routing, GREEN), "its own supervisor brought it back, with what is ours")
        assert stranger.starts == 2
        assert await theirs(stranger) == "theirs\n"

    play(scenario)


def test_what_is_not_included_is_told_with_the_line_to_add() -> None:
    async def scenario(stage: NginxStage, stranger: StrangersNginx) -> None:
        web = two_colors(stage.free_port(), {})
        tcp = Pool(id=PoolId("shop.mail.blue"), options=PoolOptions(mode=Mode.TCP))
        both = replace(
            web,
            listeners={**web.listeners, 25: Listener(port=stage.free_port(), mode=Mode.TCP)},
            pools={**web.pools, tcp.id: tcp},
        )
        for wanted, where in ((web, "http"), (both, "stream")):
            stranger.configure(http=where != "http", stream=False)
            refused = await refusal(stage.balancer.apply(wanted))
            assert refused.code == "nginx_not_included"
            assert f"include {stage.options().include_dir}/live/{where}*.conf;" in refused.hint
            assert os.listdir(stage.options().include_dir) == []
        stranger.configure()
        await stage.balancer.apply(both)

    play(scenario)


def test_a_clash_with_their_configuration_is_told_in_nginxs_words() -> None:
    async def scenario(stage: NginxStage, stranger: StrangersNginx) -> None:
        routing = await live(stage, GREEN)
        clash = Routing(
            listeners={
                **routing.listeners,
                stranger.port: Listener(port=stranger.port, address="127.0.0.1"),
            },
            routes=routing.routes,
            pools=routing.pools,
        )
        refused = await refusal(stage.balancer.apply(clash))
        assert refused.code == "balancer_refused"
        assert "duplicate default server" in refused.message
        assert await stage.ask(routing.routes[WEB].port) == GREEN
        assert await theirs(stranger) == "theirs\n"

    play(scenario)


def test_a_broken_configuration_of_theirs_keeps_what_is_in_force() -> None:
    async def scenario(stage: NginxStage, stranger: StrangersNginx) -> None:
        routing = await live(stage, GREEN)
        before = os.readlink(stage.options().include_dir / "live")
        with (stranger.folder / "nginx.conf").open("a") as file:
            file.write("nonsense;\n")
        refused = await refusal(stage.balancer.apply(routing.with_weights(WEB, {BLUE: 100})))
        assert refused.code == "balancer_refused"
        assert "nonsense" in refused.message
        assert os.readlink(stage.options().include_dir / "live") == before
        assert await stage.ask(routing.routes[WEB].port) == GREEN
        stranger.configure()
        await stage.balancer.apply(routing.with_weights(WEB, {BLUE: 100}))
        assert await stage.ask(routing.routes[WEB].port) == BLUE

    play(scenario)


def test_passwords_pages_and_plain_tcp_work_for_workers_of_another_user() -> None:
    async def scenario(stage: NginxStage, _: StrangersNginx) -> None:
        host, port = await stage.instance(BLUE)
        closed, off, mail = (stage.free_port() for _ in range(3))
        server = (Server(name="s1", host=host, port=port),)
        tcp = PoolId("shop.mail.blue")
        page = Maintenance(page="<p>back soon\n")
        routing = Routing(
            listeners={
                closed: Listener(port=closed, address="127.0.0.1", basic_auth=(("ann", "it's"),)),
                off: Listener(port=off, address="127.0.0.1"),
                mail: Listener(port=mail, address="127.0.0.1", mode=Mode.TCP),
            },
            routes={
                one.id: one
                for one in (
                    Route(id=WEB, port=closed, weights={BLUE: 100}),
                    Route(id=RouteId("shop.off"), port=off, weights={BLUE: 100}, maintenance=page),
                    Route(id=RouteId("shop.mail"), port=mail, weights={tcp: 100}),
                )
            },
            pools={
                BLUE: Pool(id=BLUE, servers=server),
                tcp: Pool(id=tcp, servers=server, options=PoolOptions(mode=Mode.TCP)),
            },
        )
        await stage.balancer.apply(routing)
        async with httpx.AsyncClient(trust_env=False) as client:
            url = f"http://127.0.0.1:{closed}/"
            assert (await client.get(url)).status_code == 401
            assert (await client.get(url, auth=("ann", "it's"))).text == BLUE
            assert (await client.get(f"http://127.0.0.1:{off}/")).text == page.page
        assert await stage.ask(mail) == BLUE

    play(scenario)


def test_one_that_does_not_run_is_not_started(tmp_path: Path) -> None:
    async def main() -> None:
        stranger = StrangersNginx(tmp_path / "etc")
        options = Options(state_dir=tmp_path / "state", run="existing", **stranger.options)
        async with open_balancer(options) as balancer:
            refused = await refusal(balancer.apply(two_colors(stranger.port, {})))
            assert refused.code == "balancer_down"
            assert "systemctl start nginx" in refused.hint
            (tmp_path / "etc" / "nginx.pid").write_text(str(os.getpid()))
            assert processes.of_master(options.pid_file).master is None, "a number that is another's now"
            await balancer.stop()

    asyncio.run(main())


def test_a_controller_that_died_before_the_reload_is_made_good() -> None:
    async def scenario(stage: NginxStage, _: StrangersNginx) -> None:
        routing = await live(stage, GREEN)
        switched = routing.with_weights(WEB, {BLUE: 100})
        await stage.balancer.apply(switched)
        (stage.folder / "state" / "loaded").write_text("1")  # as it was before
        before = stage.found().serving
        await (await stage.reopen()).apply(switched)
        assert not before & stage.found().serving, "it was told to read its configuration"

    play(scenario)
