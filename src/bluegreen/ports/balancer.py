"""Balancer: what carries the routes. It outlives the controller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Protocol

from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import BalancerEvent, BalancerFacts, Routing


class Balancer(Protocol):
    """Makes a :class:`Routing` true and says what is true.

    ``checks`` says whether the data plane asks its servers by itself (HAProxy does, NGINX does not);
    where it does not, the engine's own probes decide who is a server.
    """

    name: str
    checks: bool

    async def apply(self, routing: Routing) -> None:
        """Make ``routing`` true by the cheapest lossless way, and durable before returning.

        Declarative and idempotent. A change of one route's weights is one atomic step: each request
        goes wholly by the old or by the new weights. A server that is removed from a pool takes no
        new request; those in flight end (bounded by the pool's server timeout). The data plane is
        started if it is not running. On refusal (``balancer_refused`` with the balancer's own
        words, ``port_taken``, ``port_forbidden``) nothing has changed.
        """
        ...

    async def observe(self, pools: Collection[PoolId] | None = None) -> BalancerFacts:
        """Return what the data plane says of these pools (``None``: all) and of all routes.

        Raises ``Temporary`` (``balancer_down``) rather than returning a partial answer.
        """
        ...

    async def supervise(self) -> None:
        """Keep the data plane running until cancelled: adopt the one that runs, restart what died.

        A restarted data plane comes up with the routing last applied. Cancelling leaves it running.
        """
        ...

    def events(self) -> AsyncIterator[BalancerEvent]:
        """Yield what the balancer's checks find, for as long as the iterator is read.

        Never ends by itself; an event without a pool means that some may have been lost. The balancer
        is not held up by a reader that is slow or gone.
        """
        ...

    async def cut(self, pool: PoolId) -> None:
        """Close the connections that are still open to the servers of ``pool``, requests in flight too.

        New requests are not affected. A pool without any is fine.
        """
        ...

    async def stop(self) -> None:
        """End the data plane gracefully. Only for ``down`` and tests."""
        ...
