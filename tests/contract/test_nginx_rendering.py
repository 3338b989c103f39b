"""A rendered configuration does what the routing says: real NGINX, real requests."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import Listener, Maintenance, Mode, Pool, PoolOptions, Route, Routing, Server
from bluegreen.drivers.balancers.nginx import render
from tests.support.nginx_program import HERE, running
from tests.support.ports import free_port

BLUE, GREEN, TCP, NONE = (
    PoolId(f"shop.{name}") for name in ("web.blue", "web.green", "mail.blue", "new.blue")
)


class Application:
    """Answers with its name and the headers it got; echoes after an upgrade; may die on every request."""

    def __init__(self, name: str, *, dies: bool = False) -> None:
        self.name = name
        self.dies = dies
        self.seen: Counter[str] = Counter()
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return Server(name=self.name, host=host, port=port)

    def close(self) -> None:
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._one(reader, writer):
                pass
        self._writers.discard(writer)
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.seen[head.split()[0]] += 1
        if self.dies:
            return False
        if "upgrade: websocket" in head.lower():
            writer.write(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
            while data := await reader.read(1024):
                writer.write(data)
            return False
        body = f"{self.name}\n{head}".encode()
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        return True


@asynccontextmanager
async def standing(*applications: Application) -> AsyncIterator[list[Server]]:
    try:
        yield [await application.open() for application in applications]
    finally:
        for application in applications:
            application.close()


def route(name: str, port: int, weights: dict[PoolId, int], **where: object) -> Route:
    return Route(id=RouteId(f"shop.{name}"), port=port, weights=weights, **where)  # type: ignore[arg-type]


def routing(listeners: list[Listener], routes: list[Route], pools: dict[PoolId, list[Server]]) -> Routing:
    by_port = {listener.port: listener for listener in listeners}
    modes = {pool: by_port[one.port].mode for one in routes for pool in one.weights}
    return Routing(
        listeners=by_port,
        routes={one.id: one for one in routes},
        pools={
            pool: Pool(id=pool, servers=tuple(servers), options=PoolOptions(mode=modes.get(pool, Mode.HTTP)))
            for pool, servers in pools.items()
        },
    )


WEB, CLOSED, MAIL = 1, 2, 3
"""Stand for ports of the routing until the free ones are known."""

OFF = Maintenance(page="<p>back for $5\n", health_path="/ping", retry_after=9)


class Visitor:
    """Asks a running NGINX whose listeners have the ports of ``ports``."""

    def __init__(self, client: httpx.AsyncClient, ports: dict[int, int]) -> None:
        self.client = client
        self.ports = ports

    async def ask(
        self, path: str = "/", host: str = "any.test", *, port: int = WEB, method: str = "GET", **more: Any
    ) -> httpx.Response:
        url = f"http://127.0.0.1:{self.ports[port]}{path}"
        return await self.client.request(method, url, headers={"Host": host}, **more)

    async def who(self, path: str = "/", host: str = "any.test") -> Counter[str]:
        """Return who answers twenty requests."""
        return Counter([(await self.ask(path, host)).text.partition("\n")[0] for _ in range(20)])


@asynccontextmanager
async def nginx(
    folder: Path, routes: list[Route], pools: dict[PoolId, list[Application]]
) -> AsyncIterator[Visitor]:
    """Run the pools' applications, and NGINX before them."""
    ports = {number: free_port() for number in (WEB, CLOSED, MAIL)}
    settings: dict[int, dict[str, Any]] = {
        WEB: {},
        CLOSED: {"basic_auth": (("ann", "it's"),)},
        MAIL: {"mode": Mode.TCP},
    }
    used = {route.port for route in routes}
    listeners = [
        Listener(port=ports[number], address="127.0.0.1", **settings[number]) for number in sorted(used)
    ]
    everybody = {application for members in pools.values() for application in members}
    async with standing(*everybody) as servers, httpx.AsyncClient(verify=False, trust_env=False) as client:
        by_name = {server.name: server for server in servers}
        wanted = routing(
            listeners,
            [replace(route, port=ports[route.port]) for route in routes],
            {pool: [by_name[one.name] for one in members] for pool, members in pools.items()},
        )
        async with running(folder, render(wanted, HERE)):
            yield Visitor(client, ports)


def test_each_request_goes_where_the_rules_say(tmp_path: Path) -> None:
    async def main() -> None:
        routes = [
            route("any", WEB, {BLUE: 80, GREEN: 20}),
            route("b", WEB, {BLUE: 100}, host="b.test"),
            route("api", WEB, {GREEN: 100}, path="/api"),
            route("wild", WEB, {GREEN: 100}, host="*.wild.test"),
            route("new", WEB, {NONE: 100}, host="new.test"),
            route("mail", MAIL, {TCP: 100}),
        ]
        blue, green, mail = Application("blue"), Application("green"), Application("mail")
        pools = {BLUE: [blue], GREEN: [green], TCP: [mail], NONE: []}
        async with nginx(tmp_path, routes, pools) as visitor:
            shares = sum([await visitor.who() for _ in range(20)], Counter[str]())
            assert 40 < shares["green"] < 130, shares
            assert shares["green"] + shares["blue"] == 400
            assert set(await visitor.who(host="B.test")) == {"blue"}
            assert set(await visitor.who("/x", "deep.in.wild.test")) == {"green"}
            assert set(await visitor.who("/api/x", "b.test")) == {"green"}
            empty = await visitor.ask(host="new.test")
            assert (empty.status_code, empty.text) == (503, "no release of shop.new has the traffic yet\n")
            assert (await visitor.ask(port=MAIL)).text.startswith("mail\n")

    asyncio.run(main())


def test_the_application_gets_the_request_as_it_came(tmp_path: Path) -> None:
    async def main() -> None:
        pools = {BLUE: [Application("blue")]}
        async with nginx(tmp_path, [route("web", WEB, {BLUE: 100})], pools) as visitor:
            told = (await visitor.ask("/a%20b//?c=d", "b.test")).text.lower()
            assert "get /a%20b//?c=d http/1.1" in told
            assert "host: b.test\r\n" in told
            assert "x-forwarded-for: 127.0.0.1\r\n" in told
            assert "x-forwarded-proto: http\r\n" in told
            assert "connection:" not in told

    asyncio.run(main())


def test_maintenance_answers_everybody_but_the_balancer_in_front(tmp_path: Path) -> None:
    async def main() -> None:
        pools = {BLUE: [Application("blue")]}
        async with nginx(tmp_path, [route("web", WEB, {BLUE: 100}, maintenance=OFF)], pools) as visitor:
            for method in ("GET", "POST"):
                answer = await visitor.ask("/x", method=method)
                assert (answer.status_code, answer.text) == (503, OFF.page)
                assert answer.headers["retry-after"] == "9"
                assert answer.headers["content-type"] == "text/html"
            assert (await visitor.ask("/ping")).status_code == 200

    asyncio.run(main())


def test_a_password_is_asked_for(tmp_path: Path) -> None:
    async def main() -> None:
        pools = {BLUE: [Application("blue")]}
        async with nginx(tmp_path, [route("web", CLOSED, {BLUE: 100})], pools) as visitor:
            assert (await visitor.ask(port=CLOSED)).status_code == 401
            assert (await visitor.ask(port=CLOSED, auth=("ann", "its"))).status_code == 401
            assert (await visitor.ask(port=CLOSED, auth=("ann", "it's"))).status_code == 200

    asyncio.run(main())


def test_a_websocket_passes(tmp_path: Path) -> None:
    async def main() -> None:
        pools = {BLUE: [Application("blue")]}
        async with nginx(tmp_path, [route("web", WEB, {BLUE: 100})], pools) as visitor:
            reader, writer = await asyncio.open_connection("127.0.0.1", visitor.ports[WEB])
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            async with asyncio.timeout(5):
                assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
                writer.write(b"hello")
                assert await reader.readexactly(5) == b"hello"
            writer.close()

    asyncio.run(main())


def test_only_what_may_be_repeated_is_repeated(tmp_path: Path) -> None:
    async def main() -> None:
        dying, well = Application("dying", dies=True), Application("well")
        async with nginx(tmp_path, [route("web", WEB, {BLUE: 100})], {BLUE: [dying, well]}) as visitor:
            assert set(await visitor.who()) == {"well"}
            assert dying.seen["GET"] > 0
            posts = [(await visitor.ask(method="POST")).status_code for _ in range(6)]
            assert posts.count(502) == dying.seen["POST"]
            assert posts.count(200) == well.seen["POST"]

    asyncio.run(main())
