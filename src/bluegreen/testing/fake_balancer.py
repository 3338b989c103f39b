"""A balancer in memory, for tests of whatever drives one.

It passes the same contract suite as the real drivers (:mod:`bluegreen.testing.balancer_contract`),
and can be told to misbehave: fail or hang at the nth call, before or after the effect; die; lose
what it knew; report any health and any number of requests in flight; tell of any event. Rule: nothing it
reports was not either applied or set by the test, and it never tells of an event by itself but the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from types import MappingProxyType

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary, UserError
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import (
    Admin,
    BalancerEvent,
    BalancerFacts,
    Mode,
    Pool,
    PoolFacts,
    Route,
    Routing,
    Server,
    ServerFacts,
    ServerHealth,
)
from bluegreen.ports.balancer import Balancer
from bluegreen.testing.troubles import Troubles

REFUSED_LINE = "refuse-me"
"""A pool whose ``options.extra`` holds this line is refused, as a balancer refuses its own syntax."""

Weights = Mapping[RouteId, Mapping[PoolId, int]]


class FakeBalancer:
    """See the module. ``history`` holds the weights after every apply that changed them, oldest first;
    ``calls`` the name of every method called; ``taken_ports`` the ports that somebody else has."""

    name = "fake"
    checks = True

    def __init__(self, *, health: ServerHealth = ServerHealth.UP) -> None:
        self.routing = Routing()
        self.running = False
        self.history: list[Weights] = []
        self.calls: list[str] = []
        self.taken_ports: set[int] = set()
        self.default_health = health
        self._health: dict[tuple[PoolId, str], ServerHealth] = {}
        self._in_flight: dict[PoolId, int] = {}
        self._counted: dict[PoolId, tuple[int, int]] = {}
        self._troubles = Troubles()
        self._died = asyncio.Event()
        self._turn = 0
        self._readers: set[asyncio.Queue[BalancerEvent]] = set()

    # -- Balancer ------------------------------------------------------------------------------

    async def apply(self, routing: Routing) -> None:
        await self._misbehave("apply", after=False)
        self._refuse(routing)
        changed = _weights(routing) != _weights(self.routing)
        self.routing = routing
        self.running = True
        if changed:
            self.history.append(_weights(routing))
        await self._misbehave("apply", after=True)

    async def observe(self, pools: Collection[PoolId] | None = None) -> BalancerFacts:
        await self._misbehave("observe", after=False)
        if not self.running:
            raise _down()
        known = self.routing.pools
        asked = known if pools is None else [pool for pool in pools if pool in known]
        facts = {pool: self._facts(known[pool]) for pool in asked}
        seen = BalancerFacts(weights=_weights(self.routing), pools=facts)
        await self._misbehave("observe", after=True)
        return seen

    async def events(self) -> AsyncIterator[BalancerEvent]:
        await self._misbehave("events", after=False)
        unread: asyncio.Queue[BalancerEvent] = asyncio.Queue()
        self._readers.add(unread)
        try:
            yield BalancerEvent()
            while True:
                yield await unread.get()
        finally:
            self._readers.discard(unread)

    async def cut(self, pool: PoolId) -> None:
        await self._misbehave("cut", after=False)
        self._in_flight.pop(pool, None)
        await self._misbehave("cut", after=True)

    async def supervise(self) -> None:
        await self._misbehave("supervise", after=False)
        while True:
            if not self.running and (self.routing.listeners or self.routing.pools):
                self.running = True
                self.emit(BalancerEvent())
            self._died.clear()
            await self._died.wait()

    async def stop(self) -> None:
        await self._misbehave("stop", after=False)
        self.running = False

    # -- what a test can do to it --------------------------------------------------------------

    def fail(self, method: str, error: BluegreenError, *, nth: int = 1, after: bool = False) -> None:
        """Raise ``error`` at the ``nth`` call of ``method`` from now, before or ``after`` its effect."""
        self._troubles.fail(method, error, nth, after)

    def hang(self, method: str, *, nth: int = 1, after: bool = False) -> None:
        """Never answer the ``nth`` call of ``method`` from now, until :meth:`release`."""
        self._troubles.hang(method, nth, after)

    def release(self) -> None:
        """Let all hanging calls go on."""
        self._troubles.release()

    def die(self) -> None:
        """End the data plane. What was applied is kept on disk: ``supervise`` brings it back."""
        self.running = False
        self._died.set()

    def lose_state(self) -> None:
        """Come up empty, as a data plane does whose files were deleted."""
        self.routing = Routing()

    def set_health(self, pool: PoolId, server: str, health: ServerHealth) -> None:
        self._health[pool, server] = health

    def emit(self, event: BalancerEvent) -> None:
        """Tell of a finding of the balancer's checks; who reads no events never hears of it."""
        for unread in self._readers:
            unread.put_nowait(event)

    def set_in_flight(self, pool: PoolId, count: int) -> None:
        self._in_flight[pool] = count

    def set_counted(self, pool: PoolId, *, requests: int, errors: int) -> None:
        self._counted[pool] = (requests, errors)

    def pick(self, port: int, host: str = "", path: str = "/") -> PoolId | None:
        """Return the pool that a request would go to now, ``None`` if it would be answered 503.

        Shares are dealt in turn: of any 100 requests of one route each pool gets its percentage.
        Raises ``ConnectionRefusedError`` when nothing listens on ``port``.
        """
        route = self._route(port, host, path)
        if route is None or route.maintenance is not None:
            return None
        self._turn = (self._turn + 1) % 100
        return next((p for p in self._dealt(route) if self._serves(p)), None)

    def answer(self, port: int, host: str = "", path: str = "/") -> int:
        """Return the status of the answer that a request would get now. Raises as :meth:`pick`."""
        route = self._route(port, host, path)
        if route is not None and route.maintenance is not None and route.maintenance.health_path == path:
            return 200
        return 503 if self.pick(port, host, path) is None else 200

    # -- inside --------------------------------------------------------------------------------

    def _route(self, port: int, host: str, path: str) -> Route | None:
        if not self.running or port not in self.routing.listeners:
            raise ConnectionRefusedError(f"nothing listens on port {port}")
        routes = [r for r in self.routing.routes.values() if r.port == port and _matches(r, host, path)]
        return max(routes, key=_specificity, default=None)

    def _dealt(self, route: Route) -> list[PoolId]:
        point, passed = self._turn, 0
        for pool in route.live:
            passed += route.weights[pool]
            if point < passed:
                return [pool]
        return []

    def _serves(self, name: PoolId) -> bool:
        pool = self.routing.pools[name]
        ready = [server for server in pool.servers if server.admin is Admin.READY]
        if pool.options.keep_last_good:
            return bool(ready)
        return any(s.forced_up or self._server(name, s).health is ServerHealth.UP for s in ready)

    def _facts(self, pool: Pool) -> PoolFacts:
        requests, errors = self._counted.get(pool.id, (0, 0))
        return PoolFacts(
            id=pool.id,
            servers=tuple(self._server(pool.id, server) for server in pool.servers),
            in_flight=self._in_flight.get(pool.id, 0),
            requests=requests,
            errors=errors,
        )

    def _server(self, pool: PoolId, server: Server) -> ServerFacts:
        return ServerFacts(
            name=server.name,
            host=server.host,
            port=server.port,
            admin=server.admin,
            health=ServerHealth.UNCHECKED
            if server.forced_up
            else self._health.get((pool, server.name), self.default_health),
        )

    def _refuse(self, routing: Routing) -> None:
        for pool in routing.pools.values():
            if REFUSED_LINE in pool.options.extra:
                raise Permanent(
                    f"the balancer refuses the settings of pool {pool.id}",
                    code="balancer_refused",
                    evidence=(("balancer", f"unknown keyword '{REFUSED_LINE}'"),),
                    hint="Correct the pool's extra settings.",
                )
        for route in routing.routes.values():
            lost = [pool for pool in route.weights if pool not in routing.pools]
            if lost or route.port not in routing.listeners:
                raise Permanent(
                    f"route {route.id} names {'pool ' + lost[0] if lost else f'port {route.port}'},"
                    " which does not exist",
                    code="balancer_refused",
                    hint="Declare the pool and the listener in the same routing.",
                )
            if route.maintenance is not None and routing.listeners[route.port].mode is Mode.TCP:
                raise Permanent(
                    f"route {route.id} cannot be in maintenance: port {route.port} carries plain TCP",
                    code="balancer_refused",
                    hint="Take its servers out instead.",
                )
        for port in routing.listeners.keys() & self.taken_ports:
            raise UserError(
                f"port {port} is taken", code="port_taken", hint="Free the port or map another one."
            )

    async def _misbehave(self, method: str, *, after: bool) -> None:
        if not after:
            self.calls.append(method)
        await asyncio.sleep(0)  # a real driver gives way here too: let others interleave
        await self._troubles.come(method, after=after)


def _weights(routing: Routing) -> Weights:
    return MappingProxyType({name: route.weights for name, route in routing.routes.items()})


def _matches(route: Route, host: str, path: str) -> bool:
    if route.path is not None and not path.startswith(route.path):
        return False
    if route.host is None:
        return True
    if route.host.startswith("*."):
        return host.lower().endswith(route.host[1:].lower())
    return host.lower() == route.host.lower()


def _specificity(route: Route) -> tuple[int, int, int, int]:
    host = route.host or ""
    kind = 0 if not host else 1 if host.startswith("*.") else 2
    return route.priority, len(route.path or ""), kind, len(host)


def _down() -> Temporary:
    return Temporary(
        "the balancer is not running",
        code="balancer_down",
        hint="Wait for the controller to start it, or run `bluegreen doctor`.",
    )


_: type[Balancer] = FakeBalancer
