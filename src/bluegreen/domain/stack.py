"""A stack: the user's file after both dialects were translated into one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.naming import color_sibling
from bluegreen.domain.routing import Globals, Listener, Maintenance, PoolOptions
from bluegreen.domain.spec import Link, ServiceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSpec:
    """One route that a balancer of the stack offers.

    ``target`` is the service that has the traffic when the stack comes up for the first time;
    afterwards the live one is decided by rollouts and read back from the balancer. Every service
    in ``candidates`` may become the target of a switch. ``port`` names a listener. ``maintenance`` is a
    person's wish of the moment, not part of any file.
    """

    name: str
    balancer: str
    port: int
    target: str
    candidates: tuple[str, ...] = ()
    host: str | None = None
    path: str | None = None
    priority: int = 0
    maintenance: Maintenance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerSpec:
    """A balancer that bluegreen provides in place of a service's image.

    ``links`` is the desired link set (Docker Cloud's way to say who is live). ``check`` and
    ``options`` are the defaults of every pool behind it; ``pool_options`` and ``pool_checks`` hold
    what a linked service says for itself.
    """

    name: str
    links: tuple[Link, ...] = ()
    listeners: tuple[Listener, ...] = ()
    check: HealthCheck | None = None
    options: PoolOptions = PoolOptions()
    pool_options: Mapping[str, PoolOptions] = field(default_factory=dict)
    pool_checks: Mapping[str, HealthCheck] = field(default_factory=dict)
    settings: Globals = Globals()
    image: str = ""
    driver: str = "haproxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSpec:
    """Everything one stack file (with its overrides) says."""

    name: str
    services: tuple[ServiceSpec, ...] = ()
    balancers: tuple[BalancerSpec, ...] = ()
    routes: tuple[RouteSpec, ...] = ()
    source: str = ""

    def service(self, name: str) -> ServiceSpec | None:
        return next((s for s in self.services if s.name == name), None)

    def balancer(self, name: str) -> BalancerSpec | None:
        return next((b for b in self.balancers if b.name == name), None)

    def route(self, name: str) -> RouteSpec | None:
        return next((r for r in self.routes if r.name == name), None)

    def routes_to(self, service: str) -> tuple[RouteSpec, ...]:
        return tuple(r for r in self.routes if service in r.candidates)

    def is_routed(self, service: str) -> bool:
        return bool(self.routes_to(service))


def candidates(linked: tuple[str, ...], services: frozenset[str]) -> tuple[str, ...]:
    """Return the services a route may be switched to: the linked ones and their color siblings."""
    siblings = (color_sibling(name) for name in linked)
    found = dict.fromkeys((*linked, *(s for s in siblings if s is not None and s in services)))
    return tuple(found)
