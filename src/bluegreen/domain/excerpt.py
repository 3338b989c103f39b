"""A part of a routing: what concerns one stack."""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain.routing import Routing


def of_stack(routing: Routing, stack: str | None) -> Routing:
    """Return ``routing`` with the routes and pools of ``stack`` (``None``: of all) and their listeners."""
    if stack is None:
        return routing
    routes = {key: route for key, route in routing.routes.items() if key.startswith(f"{stack}.")}
    pools = {key: pool for key, pool in routing.pools.items() if key.startswith(f"{stack}.")}
    ports = {route.port for route in routes.values()}
    listeners = {port: one for port, one in routing.listeners.items() if port in ports}
    return replace(routing, listeners=listeners, routes=routes, pools=pools)
