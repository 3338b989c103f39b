"""How a rollout begins: which pools, which routes, which release number. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bluegreen.domain.live import live_color, live_pool, live_routes
from bluegreen.domain.naming import PoolId, RouteId, first_color, pool_id, route_id, service_of
from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.release import Release, ServiceRecord
from bluegreen.domain.rollout import Kind, Phase, Rollout
from bluegreen.domain.routing import Routing
from bluegreen.domain.spec import ServiceSpec
from bluegreen.domain.stack import StackSpec


def deploy(
    *,
    id: str,
    now: float,
    stack: StackSpec,
    spec: ServiceSpec,
    record: ServiceRecord,
    release: int,
    routing: Routing,
    kind: Kind = Kind.DEPLOY,
) -> Rollout:
    """Return the rollout that brings ``release``, made of ``spec``, up in the free color and moves the
    service there. Its definition in ``stack`` is the one that comes back when it fails."""
    color = live_color(record) or next(iter(record.releases), None)
    target = first_color(spec.name) if color is None else color.other
    return Rollout(
        id=id,
        kind=kind,
        stack=stack.name,
        service=spec.name,
        target=pool_id(stack.name, spec.name, target),
        source=None if color is None else pool_id(stack.name, spec.name, color),
        routes=routes_to_move(stack, spec.name, routing),
        release=release,
        source_release=0 if color is None else record.releases[color],
        replicas=record.replicas,
        policy=policy(spec, routed=stack.is_routed(spec.name)),
        spec=spec,
        former=stack.service(spec.name),
        since=now,
        created_at=now,
    )


def switch(
    *,
    id: str,
    now: float,
    stack: StackSpec,
    routes: tuple[RouteId, ...],
    target: PoolId,
    record: ServiceRecord,
    routing: Routing,
    kind: Kind = Kind.SWITCH,
) -> Rollout:
    """Return the rollout that moves ``routes`` to a pool that runs already, and stops nothing."""
    service = service_of(target)
    spec = stack.service(service)
    assert spec is not None, service
    return Rollout(
        id=id,
        kind=kind,
        stack=stack.name,
        service=service,
        target=target,
        source=live_pool(routing, routes[0]),
        routes=routes,
        replicas=record.replicas,
        policy=replace(policy(spec, routed=True), stop_first=False),
        starts_target=False,
        retire_source=False,
        phase=Phase.PROVING,
        since=now,
        created_at=now,
    )


def routes_to_move(stack: StackSpec, service: str, routing: Routing) -> tuple[RouteId, ...]:
    """Return the routes that follow ``service``: where it is live, or where it is to be the first."""
    live = live_routes(stack, service, routing)
    first = (
        route_id(stack.name, route.name)
        for route in stack.routes
        if route.target == service and live_pool(routing, route_id(stack.name, route.name)) is None
    )
    return tuple(dict.fromkeys((*live, *first)))


def policy(spec: ServiceSpec, *, routed: bool) -> RolloutPolicy:
    """Return the service's policy; what cannot run twice at the same time is stopped first."""
    exclusive = any(port.host is not None for port in spec.ports) or any(
        mount.source is not None and not mount.read_only for mount in spec.mounts
    )
    return replace(spec.rollout, stop_first=not routed and (spec.rollout.stop_first or exclusive))


def next_number(releases: Iterable[Release], reserved: int = 0) -> int:
    return max((r.number for r in releases), default=reserved) + 1
