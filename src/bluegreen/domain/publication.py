"""What others are told of a stack's routing, and the routing that comes of it elsewhere. Pure.

A controller *publishes* its routing in a registry: instances as announcements, the structure (listeners,
routes, pools) and each route's weights as documents. A balancer on another box *assembles* them again. Every
document carries a ``revision`` that grows from one write to the next: what is older than something already
seen is never believed (:mod:`bluegreen.domain.last_good`). It carries the controller that wrote it, too, as
``owner``.

What would give a registry's readers more than a load balancer needs is not published: private keys,
passwords, and raw lines in a balancer's own language, by which a registry's writers would command the box.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from bluegreen.domain.announcement import Announcement
from bluegreen.domain.naming import PoolId, RouteId, color_of, pool_id, release_of, service_of, stack_of
from bluegreen.domain.routing import (
    Admin,
    Globals,
    Listener,
    Pool,
    PoolFacts,
    Routing,
    Server,
    Tls,
)

STRUCTURE = "structure"
REVISION = "revision"
ROUTES = "routes/"
BOXES = "boxes/"
MARKS = "marks/"

Weights = Mapping[PoolId, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """The document :data:`STRUCTURE`: a routing without weights and servers; empty of a stack taken down."""

    revision: int
    routing: Routing
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The document of one route: the share of each pool in percent."""

    revision: int
    weights: Mapping[PoolId, int] = field(default_factory=dict)
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """The document :data:`REVISION`, written whenever announcements have changed: who sees it unchanged
    need not look at them for what was told on purpose."""

    revision: int
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A stack as a registry shows it, decoded. What was absent or unreadable is ``None`` or missing.

    ``members`` are keyed by instance name; ``unwell`` of them fail the registry's own check.
    """

    structure: Structure | None = None
    shares: Mapping[RouteId, Share] = field(default_factory=dict)
    members: Mapping[str, Announcement] = field(default_factory=dict)
    unwell: frozenset[str] = frozenset()
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxReport:
    """What a balancer on another box says of itself for one stack: a document under :data:`BOXES`.

    ``revision`` is the latest it has made true (0: none); ``at`` and ``stale_since`` are UNIX seconds by the
    box's own clock; ``trouble`` says why it is not, or may not be, up to date.
    """

    box: str
    balancer: str
    revision: int
    at: float
    shares: Mapping[RouteId, Mapping[PoolId, int]] = field(default_factory=dict)
    pools: Mapping[PoolId, PoolFacts] = field(default_factory=dict)
    stale_since: float | None = None
    trouble: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """That a balancer on another box follows a stack: a document under :data:`MARKS`.

    It outlives the box's reports, so that a box that is not heard of any more is missed: its balancer may go
    on with what it was told last. ``at`` is UNIX seconds by the box's own clock, of its first report since it
    was started or since the mark was lost.
    """

    box: str
    balancer: str
    at: float


def structure_of(routing: Routing, stack: str) -> Routing:
    """Return the part of ``routing`` that belongs to ``stack``, without weights, servers and secrets."""
    routes = {key: replace(route, weights={}) for key, route in routing.routes.items() if _is_of(key, stack)}
    pools = {key: _public(pool) for key, pool in routing.pools.items() if stack_of(key) == stack}
    ports = {route.port for route in routes.values()}
    listeners = {
        port: _without_secrets(routing.listeners[port])
        for port in sorted(ports & routing.listeners.keys())
        if not routing.listeners[port].basic_auth
    }
    opened = {key: route for key, route in routes.items() if route.port in listeners}
    settings = Globals(maxconn=routing.settings.maxconn) if opened else Globals()
    return Routing(listeners=listeners, routes=opened, pools=pools, settings=settings)


def announcements_of(pool: Pool) -> tuple[Announcement, ...]:
    """Return the pool's servers as announcements."""
    return tuple(
        Announcement(
            instance=server.name,
            stack=stack_of(pool.id),
            service=service_of(pool.id),
            color=color_of(pool.id),
            host=server.host,
            port=server.port,
            release=release_of(server.name),
            weight=server.weight,
            draining=server.admin is not Admin.READY,
            forced_up=server.forced_up,
            check=pool.check,
        )
        for server in pool.servers
    )


def live_pools(shares: Iterable[Share]) -> set[PoolId]:
    """Return the pools that have a share of some route."""
    return {pool for share in shares for pool, weight in share.weights.items() if weight > 0}


def pool_of(member: Announcement) -> PoolId:
    return pool_id(member.stack, member.service, member.color)


def assembled(picture: Picture, *, without_unwell: bool) -> Routing:
    """Return the routing that a picture describes; empty without a structure.

    ``without_unwell`` leaves out who fails the registry's check, for a balancer that makes none of its own,
    but never all of a pool.
    """
    if picture.structure is None:
        return Routing()
    routing = picture.structure.routing
    routes = {
        key: replace(route, weights=picture.shares[key].weights if key in picture.shares else {})
        for key, route in routing.routes.items()
    }
    servers: dict[PoolId, list[Server]] = {key: [] for key in routing.pools}
    for name, member in sorted(picture.members.items()):
        if pool_of(member) in servers:
            servers[pool_of(member)].append(_server(name, member))
    pools = {
        key: replace(pool, servers=_kept(servers[key], picture.unwell if without_unwell else frozenset()))
        for key, pool in routing.pools.items()
    }
    return replace(routing, routes=routes, pools=pools)


def _kept(servers: list[Server], unwell: frozenset[str]) -> tuple[Server, ...]:
    well = tuple(server for server in servers if server.name not in unwell or server.forced_up)
    return well if any(server.admin is Admin.READY for server in well) else tuple(servers)


def _server(name: str, member: Announcement) -> Server:
    return Server(
        name=name,
        host=member.host,
        port=member.port,
        weight=member.weight,
        admin=Admin.DRAIN if member.draining else Admin.READY,
        forced_up=member.forced_up,
    )


def _public(pool: Pool) -> Pool:
    return replace(pool, servers=(), options=replace(pool.options, extra=()))


def _without_secrets(listener: Listener) -> Listener:
    tls = None if listener.tls is None else Tls(bind_options=listener.tls.bind_options)
    return replace(listener, tls=tls, extra=())


def _is_of(route: RouteId, stack: str) -> bool:
    return route.startswith(f"{stack}.")
