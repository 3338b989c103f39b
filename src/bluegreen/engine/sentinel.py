"""What the balancer's checks say between two looks, told by the balancer itself: nothing is polled.

An event names a server and wakes its service's loop. Whoever starts, or may have missed one, looks once
at everything. What is remembered here is a reason to look closer, and the words for the history.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

import structlog

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.naming import PoolId, service_of, stack_of
from bluegreen.domain.routing import BalancerEvent, ServerHealth
from bluegreen.engine.ledger import ServiceKey
from bluegreen.engine.switchboard import Switchboard
from bluegreen.ports.balancer import Balancer
from bluegreen.ports.clock import Clock

RETRY = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What the balancer's check has against a server, since when (UNIX seconds)."""

    why: str
    since: float


class Sentinel:
    def __init__(
        self, balancer: Balancer, switchboard: Switchboard, clock: Clock, wake: Callable[[ServiceKey], None]
    ) -> None:
        self._balancer = balancer
        self._switchboard = switchboard
        self._clock = clock
        self._wake = wake
        self._complaints: dict[PoolId, dict[str, Complaint]] = {}

    def against(self, pool: PoolId, server: str) -> Complaint | None:
        """Return what the balancer's check has against a server, ``None`` when it passes."""
        return self._complaints.get(pool, {}).get(server)

    def retain(self, pool: PoolId, servers: Collection[str]) -> None:
        """Forget what was said of servers that the pool no longer has."""
        known = self._complaints.get(pool)
        if known is not None and not known.keys() <= set(servers):
            self._complaints[pool] = {name: one for name, one in known.items() if name in servers}

    async def follow(self) -> None:
        """Follow the balancer's events until cancelled."""
        while True:
            try:
                async for event in self._balancer.events():
                    await self._take(event)
            except BluegreenError as error:
                log.warning("sentinel.deaf", error=error.message)
            await self._clock.wait(asyncio.Event(), RETRY)

    async def _take(self, event: BalancerEvent) -> None:
        if event.pool is None:
            await self._look_at_all()
        else:
            self._note(event.pool, event.server, event.health, event.why, event.at)

    def _note(self, pool: PoolId, server: str, health: ServerHealth, why: str, at: float) -> None:
        known = self._complaints.setdefault(pool, {})
        if health is ServerHealth.DOWN:
            since = known[server].since if server in known else at
            known[server] = Complaint(why=why, since=since)
        elif known.pop(server, None) is None:
            return
        self._wake((stack_of(pool), service_of(pool)))

    async def _look_at_all(self) -> None:
        if not self._switchboard.routing.listeners:
            return
        try:
            facts = await self._switchboard.observe()
        except BluegreenError as error:
            log.warning("sentinel.blind", error=error.message)
            return
        now = self._clock.now()
        for pool in facts.pools.values():
            for server in pool.servers:
                self._note(pool.id, server.name, server.health, server.last_check, now)
