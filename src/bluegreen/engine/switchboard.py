"""The routing that is wanted now, and the one door to the balancer.

All changes go through :meth:`Switchboard.change`, one at a time: compute the next routing from the
current one, make it true, then it is the current one. A change that the balancer refuses leaves both
as they were; after one whose outcome is unknown, what the balancer carries is read back first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

import structlog

from bluegreen.domain.composition import compose
from bluegreen.domain.errors import BluegreenError, OutcomeUnknown, Temporary
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import BalancerFacts, Routing, Server
from bluegreen.domain.stack import StackSpec
from bluegreen.ports.balancer import Balancer

APPLY_DEADLINE = 20.0
OBSERVE_DEADLINE = 3.0

log = structlog.get_logger()


class Switchboard:
    def __init__(self, balancer: Balancer) -> None:
        self._balancer = balancer
        self._lock = asyncio.Lock()
        self.routing = Routing()
        self._applied = False
        self._unsure = False

    async def change(self, next_routing: Callable[[Routing], Routing]) -> None:
        async with self._lock:
            if self._unsure:
                self.routing = self.adopt(self.routing, await self.observe())
                self._unsure = False
            wanted = next_routing(self.routing)
            if wanted is self.routing and self._applied:
                return
            await self._apply(wanted)
            self.routing = wanted
            self._applied = True

    async def _apply(self, wanted: Routing) -> None:
        """Make it true. When nobody knows whether it is, the next change looks first."""
        try:
            async with asyncio.timeout(APPLY_DEADLINE):
                await self._balancer.apply(wanted)
        except (TimeoutError, Temporary, OutcomeUnknown) as error:
            self._unsure = True
            self._applied = False
            if not isinstance(error, TimeoutError):
                raise
            raise Temporary(
                f"the balancer did not take a change within {APPLY_DEADLINE:g} s",
                code="balancer_hung",
                hint="Traffic stays as it is. `bluegreen doctor` shows the state of the balancer.",
            ) from error

    async def resume(self, routing: Routing) -> None:
        """Take ``routing`` for what is wanted, whether the balancer takes it now or with a later change."""
        async with self._lock:
            self.routing = routing
            self._applied = False
        try:
            await self.change(lambda current: current)
        except BluegreenError as error:
            log.warning("switchboard.not_applied", error=error.message)

    async def observe(self, pools: Collection[PoolId] | None = None) -> BalancerFacts:
        """Raises ``Temporary`` when the balancer does not answer."""
        try:
            async with asyncio.timeout(OBSERVE_DEADLINE):
                return await self._balancer.observe(pools)
        except TimeoutError as error:
            raise _silent() from error

    async def cut(self, pool: PoolId) -> None:
        """Close what is open to ``pool``. Raises ``Temporary`` when the balancer does not answer."""
        try:
            async with asyncio.timeout(OBSERVE_DEADLINE):
                await self._balancer.cut(pool)
        except TimeoutError as error:
            raise _silent() from error

    async def compose(self, stacks: Iterable[StackSpec]) -> None:
        specs = tuple(stacks)
        await self.change(lambda routing: compose(specs, routing))

    async def set_weights(self, routes: Iterable[RouteId], weights: Mapping[PoolId, int]) -> None:
        def changed(routing: Routing) -> Routing:
            for route in routes:
                routing = routing.with_weights(route, weights)
            return routing

        await self.change(changed)

    async def set_servers(self, pool: PoolId, servers: tuple[Server, ...]) -> None:
        def changed(routing: Routing) -> Routing:
            if pool not in routing.pools or routing.pools[pool].servers == servers:
                return routing
            return routing.with_servers(pool, servers)

        await self.change(changed)

    def servers(self, pool: PoolId) -> tuple[Server, ...]:
        known = self.routing.pools.get(pool)
        return known.servers if known is not None else ()

    def forget(self) -> None:
        """Forget what was applied: the data plane was ended."""
        self.routing = Routing()
        self._applied = False
        self._unsure = False

    def adopt(self, routing: Routing, facts: BalancerFacts) -> Routing:
        """Return ``routing`` with the weights and servers that the data plane already carries.

        What ``facts`` does not name is unknown and stays as it is.
        """
        routes = {
            key: replace(route, weights=dict(facts.weights[key])) if facts.weights.get(key) else route
            for key, route in routing.routes.items()
        }
        pools = {}
        for key, pool in routing.pools.items():
            known = facts.pools.get(key)
            servers = known.servers if known is not None else ()
            adopted = tuple(Server(name=s.name, host=s.host, port=s.port, admin=s.admin) for s in servers)
            pools[key] = pool if known is None else replace(pool, servers=adopted)
        return replace(routing, routes=routes, pools=pools)


def _silent() -> Temporary:
    return Temporary(
        f"the balancer did not answer within {OBSERVE_DEADLINE:g} s",
        code="balancer_hung",
        hint="Traffic stays as it is. `bluegreen doctor` shows the state of the balancer.",
    )
