"""Refuses a routing that contradicts itself before anything is touched.

A proxy may accept such files and answer 503: some look pools up per request.
"""

from __future__ import annotations

from collections.abc import Iterable

from bluegreen.domain.routing import Mode, Pool, Route, Routing
from bluegreen.drivers.proxies.words import name, refused

_DECLARE = "Declare the pool and the listener in the same routing."


def validate(routing: Routing, routes: Iterable[Route], pools: Iterable[Pool]) -> None:
    """Check ``routes`` and ``pools``, the changed ones of ``routing``. Raises ``balancer_refused``."""
    for route in routes:
        _route(routing, route)
    for pool in pools:
        names = [name(server.name) for server in pool.servers]
        if len(set(names)) != len(names):
            raise refused(f"pool {pool.id} names a server twice", "Give each server its own name.")


def _route(routing: Routing, route: Route) -> None:
    name(route.id)
    listener = routing.listeners.get(route.port)
    if listener is None:
        raise refused(f"route {route.id} is for port {route.port}, which has no listener", _DECLARE)
    if len(route.weights) > 2 or (route.weights and sum(route.weights.values()) != 100):
        raise refused(
            f"the weights of route {route.id} are {dict(route.weights)}",
            "Give one or two pools percentages that sum to 100.",
        )
    if listener.mode is Mode.TCP and route.maintenance is not None:
        raise refused(
            f"route {route.id} cannot be in maintenance: port {route.port} carries plain TCP",
            "There is no page to show there. Take its servers out instead (drain them).",
        )
    if listener.mode is Mode.TCP and (route.host or route.path):
        raise refused(
            f"route {route.id} has a host or path on port {route.port}, which carries plain TCP",
            "Use an HTTP listener, or one port per TCP service.",
        )
    for pool in route.weights:
        if pool not in routing.pools:
            raise refused(f"route {route.id} names pool {pool}, which does not exist", _DECLARE)
        if routing.pools[pool].options.mode is not listener.mode:
            raise refused(
                f"pool {pool} speaks {routing.pools[pool].options.mode}, port {route.port} {listener.mode}",
                "Give the pool the mode of its listener.",
            )
