"""Who is live: read from weights, or remembered where the balancer has forgotten everything."""

from __future__ import annotations

from collections.abc import Mapping

from bluegreen.domain.naming import Color, PoolId, RouteId, pool_id, route_id
from bluegreen.domain.release import ServiceRecord
from bluegreen.domain.routing import Routing
from bluegreen.domain.stack import StackSpec


def live_color(record: ServiceRecord) -> Color | None:
    """Return the color of the newest promoted release that is still wanted in some color."""
    colors = {number: color for color, number in record.releases.items()}
    return next((colors[n] for n in reversed(record.promoted) if n in colors), None)


def live_routes(stack: StackSpec, service: str, routing: Routing) -> tuple[RouteId, ...]:
    """Return the routes on which some color of ``service`` has traffic now."""
    pools = {pool_id(stack.name, service, color) for color in Color}
    keys = (route_id(stack.name, spec.name) for spec in stack.routes)
    return tuple(key for key in keys if key in routing.routes and pools & set(routing.routes[key].live))


def live_pool(routing: Routing, route: RouteId) -> PoolId | None:
    """Return the pool with the largest share of ``route``."""
    known = routing.routes.get(route)
    return known.live[0] if known is not None and known.live else None


def remembered_weights(
    stack: StackSpec, services: Mapping[tuple[str, str], ServiceRecord]
) -> dict[RouteId, dict[PoolId, int]]:
    """Return the weights the journal implies: the live color of each route's wanted target."""
    found: dict[RouteId, dict[PoolId, int]] = {}
    for route in stack.routes:
        record = services.get((stack.name, route.target))
        color = live_color(record) if record is not None else None
        if color is not None:
            found[route_id(stack.name, route.name)] = {pool_id(stack.name, route.target, color): 100}
    return found
