"""From stacks to the balancer's :class:`~bluegreen.domain.routing.Routing`: structure only.

Weights and servers are taken over from the routing that was there: a stack file never moves traffic
and never adds or removes an instance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.errors import UserError
from bluegreen.domain.naming import Color, PoolId, RouteId, pool_id, route_id
from bluegreen.domain.routing import Globals, Listener, Pool, PoolOptions, Route, Routing
from bluegreen.domain.stack import StackSpec

K = TypeVar("K")
V = TypeVar("V")


def compose(stacks: Iterable[StackSpec], before: Routing) -> Routing:
    """Return the routing of all ``stacks``. Unchanged parts are the very objects of ``before``.

    Raises ``UserError`` (``port_conflict``) when two stacks want one port differently.
    """
    listeners: dict[int, Listener] = {}
    routes: dict[RouteId, Route] = {}
    pools: dict[PoolId, Pool] = {}
    settings: list[Globals] = []
    for stack in stacks:
        for listener in _listeners(stack):
            _claim(listeners, _same(before.listeners, listener.port, listener), stack.name)
        for route in _routes(stack, before):
            routes[route.id] = _same(before.routes, route.id, route)
        for pool in _pools(stack, before):
            pools[pool.id] = _same(before.pools, pool.id, pool)
        settings += [balancer.settings for balancer in stack.balancers]
    return Routing(listeners=listeners, routes=routes, pools=pools, settings=_merged(settings))


def _claim(listeners: dict[int, Listener], listener: Listener, stack: str) -> None:
    other = listeners.get(listener.port)
    if other is not None and other != listener:
        raise UserError(
            f"port {listener.port} is wanted with different settings by {stack} and by another stack",
            code="port_conflict",
            hint=f"Map it elsewhere: `bluegreen up --publish {listener.port}=PORT`.",
        )
    listeners[listener.port] = listener


def _same(before: Mapping[K, V], key: K, value: V) -> V:
    known = before.get(key)
    return known if known is not None and known == value else value


def _listeners(stack: StackSpec) -> Iterable[Listener]:
    return (listener for balancer in stack.balancers for listener in balancer.listeners)


def _routes(stack: StackSpec, before: Routing) -> Iterable[Route]:
    for spec in stack.routes:
        key = route_id(stack.name, spec.name)
        known = before.routes.get(key)
        yield Route(
            id=key,
            port=spec.port,
            host=spec.host,
            path=spec.path,
            priority=spec.priority,
            maintenance=spec.maintenance,
            weights=known.weights if known is not None else {},
        )


def _pools(stack: StackSpec, before: Routing) -> Iterable[Pool]:
    for service in stack.services:
        if not stack.is_routed(service.name):
            continue
        check, options = pool_settings(stack, service.name)
        for color in Color:
            key = pool_id(stack.name, service.name, color)
            known = before.pools.get(key)
            servers = known.servers if known is not None else ()
            yield Pool(id=key, servers=servers, check=check, options=options)


def pool_settings(stack: StackSpec, service: str) -> tuple[HealthCheck, PoolOptions]:
    """Return the balancer's check and options for a service: its own, else its balancer's."""
    spec = stack.service(service)
    assert spec is not None, service
    for route in stack.routes_to(service):
        balancer = stack.balancer(route.balancer)
        if balancer is not None:
            check = balancer.pool_checks.get(service) or balancer.check or spec.check
            return check, balancer.pool_options.get(service, balancer.options)
    return spec.check, PoolOptions()


def _merged(settings: list[Globals]) -> Globals:
    """Return one process's settings from those of all balancers: the largest, all extras."""
    if not settings:
        return Globals()
    first = settings[0]
    return replace(
        first,
        maxconn=max(s.maxconn for s in settings),
        stats=tuple(dict.fromkeys(page for s in settings for page in s.stats)),
        extra=tuple(dict.fromkeys(line for s in settings for line in s.extra)),
    )
