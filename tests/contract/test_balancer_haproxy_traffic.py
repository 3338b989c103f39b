"""No request notices what the HAProxy driver does: real traffic of all kinds while things change."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import Listener, Mode, Pool, PoolOptions, Route, Routing, Server, Tls
from bluegreen.testing.balancer_stage import BLUE, GREEN, WEB, has_in_flight, live, until, with_route
from tests.support.haproxy_stage import HaproxyStage
from tests.support.haproxy_ways import Play
from tests.support.mixed_load import MixedLoad, mixed_load


async def answers(load: MixedLoad, count: int) -> None:
    """Wait until ``count`` more requests were answered."""
    wanted = load.answered.total() + count

    async def reached() -> bool:
        return load.answered.total() >= wanted

    await until(reached, f"{count} more answers")


def test_forty_switches_fail_no_request(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        async with mixed_load(routing.routes[WEB].port) as load:
            for number in range(40):
                routing = routing.with_weights(WEB, {(BLUE, GREEN)[number % 2]: 100})
                await stage.balancer.apply(routing)
                await answers(load, 20)
        assert load.failed == []
        assert set(load.answered) == {BLUE, GREEN}

    play(scenario)


def test_a_kept_connection_follows_a_switch_with_its_next_request(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        reader, writer = await asyncio.open_connection("127.0.0.1", routing.routes[WEB].port)

        async def ask() -> str:
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            return (await reader.read(100)).decode()

        assert await ask() == GREEN
        await stage.balancer.apply(routing.with_weights(WEB, {BLUE: 100}))
        assert await ask() == BLUE
        writer.close()

    play(scenario)


def test_a_kept_connection_of_a_former_worker_follows_a_switch(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        port = routing.routes[WEB].port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(GREEN.encode())
        more = with_route(routing, Route(id=RouteId("new"), port=port, host="new", weights={}))
        await stage.balancer.apply(more)  # a reload: the idle connection stays with the former worker
        await stage.balancer.apply(more.with_weights(WEB, {BLUE: 100}))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(BLUE.encode())).startswith(b"HTTP/1.1 200")
        writer.close()

    play(scenario)


def test_instances_coming_and_going_fifty_times_fail_no_request(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        first = routing.pools[GREEN].servers
        host, port = await stage.instance(GREEN)
        async with mixed_load(routing.routes[WEB].port) as load:
            for number in range(50):
                second = Server(name=f"s{number % 3 + 2}", host=host, port=port)
                both = routing.with_servers(GREEN, (*first, second))
                await stage.balancer.apply(both)
                await answers(load, 5)
                await stage.balancer.apply(both.with_servers(GREEN, (*first,)))
        assert load.failed == []
        assert stage.backends[host, port].seen.total() > 0
        await until(_has_only(stage, {"s1"}), "HAProxy forgot all that left")

    play(scenario)


def test_replacing_the_only_instance_fails_no_request(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        async with mixed_load(routing.routes[WEB].port) as load:
            for _ in range(10):
                host, port = await stage.instance(GREEN)
                routing = routing.with_servers(GREEN, (Server(name="s1", host=host, port=port),))
                await stage.balancer.apply(routing)
                await answers(load, 10)
        assert load.failed == []

    play(scenario)


def test_reloads_for_structure_fail_no_request(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        port = routing.routes[WEB].port
        async with mixed_load(port) as load:
            for number in range(8):
                route = Route(id=RouteId(f"r{number}"), port=port, host=f"h{number}", weights={BLUE: 100})
                routing = with_route(routing, route)
                await stage.balancer.apply(routing)
                await answers(load, 30)
        assert load.failed == []

    play(scenario)


def test_a_killed_instance_fails_no_idempotent_request(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        host, port = await stage.instance(GREEN)
        two = (*routing.pools[GREEN].servers, Server(name="s2", host=host, port=port))
        await stage.balancer.apply(routing.with_servers(GREEN, two))
        doomed = stage.backends[host, port]
        async with asyncio.TaskGroup() as tasks:
            asked = [
                tasks.create_task(stage.request(routing.routes[WEB].port, path="/slow")) for _ in range(20)
            ]
            await until(_saw(doomed.seen.total, 1), "one is in flight at the doomed instance")
            await doomed.die()
        assert [task.result()[0] for task in asked] == [200] * 20

    play(scenario)


def test_a_post_in_flight_at_a_killed_instance_is_never_sent_twice(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        host, port = await stage.instance(GREEN)
        two = (*routing.pools[GREEN].servers, Server(name="s2", host=host, port=port))
        await stage.balancer.apply(routing.with_servers(GREEN, two))
        doomed = stage.backends[host, port]
        async with asyncio.TaskGroup() as tasks:
            asked = [
                tasks.create_task(
                    stage.request(routing.routes[WEB].port, path="/hold", method="POST", body=f"order-{n}")
                )
                for n in range(20)
            ]
            await until(
                _saw(lambda: sum(b.seen.total() for b in stage.backends.values()), 20), "all in flight"
            )
            await doomed.die()
            for backend in stage.backends.values():
                backend.release.set()
        arrivals = sum((backend.seen for backend in stage.backends.values()), start=doomed.seen.__class__())
        assert {name: count for name, count in arrivals.items() if count != 1} == {}
        lost = [task.result()[0] for task in asked if task.result()[0] != 200]
        assert len(lost) == doomed.seen.total() == 10  # they failed, visibly, and nothing was done twice

    play(scenario)


def test_requests_in_flight_in_a_former_worker_are_counted(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        port = routing.routes[WEB].port
        async with stage.hold(port):
            await until(has_in_flight(stage, GREEN, 1), "the request is seen")
            await stage.balancer.apply(
                with_route(routing, Route(id=RouteId("new"), port=port, host="new", weights={}))
            )
            assert await has_in_flight(stage, GREEN, 1)()
        await until(has_in_flight(stage, GREEN, 0), "its end is seen")

    play(scenario)


def test_plain_tcp_is_routed_and_switched(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        port = stage.free_port()
        pools = {}
        for name in (BLUE, GREEN):
            host, number = await stage.instance(name)
            pools[name] = Pool(
                id=name,
                servers=(Server(name="s1", host=host, port=number),),
                options=PoolOptions(mode=Mode.TCP),
            )
        route = Route(id=WEB, port=port, weights={GREEN: 100})
        listener = Listener(port=port, address="127.0.0.1", mode=Mode.TCP)
        routing = Routing(listeners={port: listener}, routes={WEB: route}, pools=pools)
        await stage.balancer.apply(routing)
        assert await stage.ask(port) == GREEN
        await stage.balancer.apply(routing.with_weights(WEB, {BLUE: 100}))
        assert await stage.ask(port) == BLUE
        await stage.balancer.apply(routing.with_weights(WEB, {}))
        assert await stage.request(port) == (0, "")

    play(scenario)


def test_tls_is_ended_at_the_balancer(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        port = stage.free_port()
        pem = await asyncio.to_thread(_certificate, stage)
        secure = Listener(port=port, address="127.0.0.1", tls=Tls(certificates=(pem,)))
        route = Route(id=RouteId("secure"), port=port, weights={GREEN: 100})
        await stage.balancer.apply(
            with_route(replace(routing, listeners={**routing.listeners, port: secure}), route)
        )
        trust = ssl.create_default_context(cadata=pem[pem.index("-----BEGIN CERT") :])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname="a.test")
        writer.write(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        assert (await reader.readuntil(GREEN.encode())).startswith(b"HTTP/1.1 200")
        writer.transport.abort()
        state = stage.folder / "state"
        assert {oct(f.stat().st_mode & 0o777) for f in state.glob("cert-*.pem")} == {"0o600"}

    play(scenario)


def test_a_first_verdict_does_not_wait_for_the_interval(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, GREEN)
        slow = HealthCheck(path="/ping", interval=3600.0, rise=2, fall=3)
        pool = PoolId("shop.web.slow")
        known = replace(routing, pools={**routing.pools, pool: Pool(id=pool, check=slow)})
        await stage.balancer.apply(known)
        well, sick = await stage.instance(pool), await stage.instance(pool)
        await stage.fall_sick(*sick)
        servers = tuple(Server(name=n, host=h, port=p) for n, (h, p) in (("well", well), ("sick", sick)))
        await stage.balancer.apply(known.with_servers(pool, servers))

        async def judged() -> bool:
            seen = (await stage.balancer.observe([pool])).pools[pool].servers
            return [server.health for server in seen] == ["up", "down"]

        await until(judged, "both have a verdict")
        await until(_has_only(stage, {"well", "sick"}, pool), "the probe of the well one went")
        stage.backends[sick].well = True

        async def recovered() -> bool:
            seen = (await stage.balancer.observe([pool])).pools[pool].servers
            return [server.health for server in seen] == ["up", "up"]

        await until(recovered, "the sick one is seen to recover")

    play(scenario)


def _certificate(stage: HaproxyStage) -> str:
    key, certificate = stage.folder / "key.pem", stage.folder / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=a.test"
    names = ["-addext", "subjectAltName=DNS:a.test", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True, timeout=30)
    return key.read_text() + certificate.read_text()


def _saw(count: Callable[[], int], least: int) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return count() >= least

    return condition


def _has_only(stage: HaproxyStage, names: set[str], pool: PoolId = GREEN) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        known = await stage.servers_of(pool) - {"sick:probe"}
        return known == names | {f"{name}:last" for name in names}

    return condition
