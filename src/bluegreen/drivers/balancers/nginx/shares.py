"""Renders who gets the traffic of a route: one upstream, or two by chance.

NGINX refuses to pass to an upstream that has no server, so a pool that is empty has none: its share goes to
the other pool, and a route with no other pool has nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import Mode, Pool, Route, Routing
from bluegreen.drivers.balancers.nginx.upstreams import serves
from bluegreen.drivers.balancers.nginx.words import block, directive
from bluegreen.drivers.proxies.words import name

_DICE = {
    Mode.HTTP: "$request_id",  # random for each request, and the same for all that one request does
    Mode.TCP: "$remote_addr:$remote_port:$connection:$msec",
}


@dataclass(frozen=True, slots=True)
class Share:
    """Where the requests of a route go: ``target`` is what ``proxy_pass`` names, ``None`` for nobody.

    ``pools`` are the pools behind it, the largest share first; ``lines`` declare ``target`` if need be.
    ``raw`` are raw lines of all pools of the route, also of those without a server.
    """

    target: str | None
    pools: tuple[Pool, ...] = ()
    lines: tuple[str, ...] = ()
    raw: tuple[str, ...] = ()


def share_of(route: Route, routing: Routing, number: int, raw: bool) -> Share:
    """Return the share of ``route``; ``number`` tells its variable from those of other routes."""
    pools = tuple(pool for pool in (routing.pools[key] for key in route.live) if serves(pool))
    extra = [line for key in route.live for line in routing.pools[key].options.extra] if raw else []
    own = tuple(dict.fromkeys(map(directive, extra)))
    if not pools:
        return Share(None, raw=own)
    if len(pools) == 1:
        return Share(name(pools[0].id), pools, raw=own)
    variable = f"$bluegreen_share_{number}"
    mode = routing.listeners[route.port].mode
    lines = (f"# {name(route.id)}", *block(f'split_clients "{_DICE[mode]}" {variable}', _parts(route, pools)))
    return Share(variable, pools, lines, own)


def _parts(route: Route, pools: tuple[Pool, ...]) -> Iterator[str]:
    *others, first = sorted(pools, key=lambda pool: route.weights[pool.id])
    whole = sum(route.weights[PoolId(pool.id)] for pool in pools)
    for pool in others:
        yield f"{100 * route.weights[pool.id] / whole:.2f}% {name(pool.id)};"
    yield f"* {name(first.id)};"
