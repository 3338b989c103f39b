"""One view of several balancers that carry the same routes: this box's own and those that report. Pure.

The view is the most careful one. A route has its weights once all balancers carry them; a server is known
once all know it, and up while it is up for all; requests in flight add up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.publication import BoxReport
from bluegreen.domain.routing import BalancerFacts, PoolFacts, ServerFacts, ServerHealth


def merged(views: Sequence[BalancerFacts], pools: Collection[PoolId] | None = None) -> BalancerFacts:
    """Return what all ``views`` (at least one) say of ``pools`` (``None``: of all that the first knows)."""
    first = views[0]
    asked = first.pools.keys() if pools is None else pools
    known = {
        pool: _pool([view.pools[pool] for view in views])
        for pool in asked
        if all(pool in view.pools for view in views)
    }
    weights = {
        route: _weights([view.weights[route] for view in views])
        for route in first.weights
        if all(route in view.weights for view in views)
    }
    return BalancerFacts(weights=weights, pools=known)


def view(reports: Iterable[BoxReport]) -> BalancerFacts:
    """Return one box's view from what it reports of each of its stacks."""
    weights: dict[RouteId, Mapping[PoolId, int]] = {}
    pools: dict[PoolId, PoolFacts] = {}
    for report in reports:
        weights |= report.shares
        pools |= {key: _named(pool, report.box) for key, pool in report.pools.items()}
    return BalancerFacts(weights=weights, pools=pools)


def _named(pool: PoolFacts, box: str) -> PoolFacts:
    """Say whose check it was that failed."""
    return replace(
        pool,
        servers=tuple(
            replace(s, last_check=f"{box}: {s.last_check}" if s.last_check else "") for s in pool.servers
        ),
    )


def _weights(said: Sequence[Mapping[PoolId, int]]) -> Mapping[PoolId, int]:
    """Return the weights that all carry; while they differ, those of who is still elsewhere."""
    return next((weights for weights in said if weights != said[0]), said[0])


def _pool(said: Sequence[PoolFacts]) -> PoolFacts:
    names = [server.name for server in said[0].servers]
    by_name = [{server.name: server for server in pool.servers} for pool in said]
    return PoolFacts(
        id=said[0].id,
        servers=tuple(
            _server([known[name] for known in by_name])
            for name in names
            if all(name in known for known in by_name)
        ),
        in_flight=sum(pool.in_flight for pool in said),
        requests=sum(pool.requests for pool in said),
        errors=sum(pool.errors for pool in said),
    )


def _server(said: Sequence[ServerFacts]) -> ServerFacts:
    worst = max(said, key=lambda server: _RANK[server.health])
    return replace(worst, in_flight=sum(server.in_flight for server in said))


_RANK = {ServerHealth.UNCHECKED: 0, ServerHealth.UP: 1, ServerHealth.DOWN: 2}
