"""What the balancer is to do: listeners, routes, pools, servers.

One :class:`Routing` value describes all of it, for all stacks. It is immutable and shares its
unchanged parts with its predecessor, so that a driver finds what changed by identity: the cost of
a change does not grow with what exists. A *switch* is :meth:`Routing.with_weights`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from bluegreen.domain.check import TCP_CHECK, HealthCheck
from bluegreen.domain.naming import PoolId, RouteId


class Mode(StrEnum):
    HTTP = "http"
    TCP = "tcp"


class Admin(StrEnum):
    """What the operator (or the engine) wants of a server, whatever its health."""

    READY = "ready"
    DRAIN = "drain"
    MAINT = "maint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One instance as the balancer knows it. ``host`` is an IP address.

    ``forced_up`` keeps it in rotation whatever its check says: the balancer does not check it.
    """

    name: str
    host: str
    port: int
    weight: int = 100
    admin: Admin = Admin.READY
    forced_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """How requests are spread over a pool. Times are seconds.

    ``passive_errors`` failed answers in a row (5xx, or none at all) take an instance out until its check
    passes again (``None``: users' answers are not watched). ``keep_last_good`` goes on giving requests
    to instances that run when the check fails on all of them at the same time: a check that asks a
    shared database must not take the service down.

    ``cookie`` is the name of a session cookie that pins a client to an instance. ``backup`` pools and
    raw ``extra`` lines come from Docker Cloud's ``FAILOVER`` and ``EXTRA_SETTINGS``; raw lines are in the
    balancer's own language and checked by the balancer before use.
    """

    balance: str = "roundrobin"
    mode: Mode = Mode.HTTP
    connect_timeout: float = 5.0
    server_timeout: float = 50.0
    queue_timeout: float = 5.0
    retries: int = 3
    passive_errors: int | None = 10
    keep_last_good: bool = True
    cookie: str | None = None
    force_ssl: bool = False
    hsts_max_age: str | None = None
    gzip_types: str | None = None
    options: tuple[str, ...] = ()
    server_options: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """All instances of one service in one color."""

    id: PoolId
    servers: tuple[Server, ...] = ()
    check: HealthCheck = TCP_CHECK
    options: PoolOptions = PoolOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Certificates of a listener: PEM texts (certificate chain and key in one text each)."""

    certificates: tuple[str, ...] = ()
    client_ca: str | None = None
    bind_options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """An address on which the balancer accepts connections. Times are seconds."""

    port: int
    address: str = ""
    mode: Mode = Mode.HTTP
    tls: Tls | None = None
    client_timeout: float = 50.0
    maxconn: int = 4096
    options: tuple[str, ...] = ()
    bind_options: tuple[str, ...] = ()
    basic_auth: tuple[tuple[str, str], ...] = ()
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """A route answers 503 with ``page`` (HTML) to everybody, by a person's wish.

    ``health_path`` goes on answering 200, so that balancers in front keep this one. ``retry_after`` and
    ``since`` are seconds and UNIX seconds. The route's weights are kept, and may change meanwhile.
    """

    why: str = ""
    page: str = ""
    health_path: str | None = None
    retry_after: int = 60
    since: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What arrives at a listener for a host and path, and the share of each pool in it.

    ``weights`` are percentages that sum to 100, over one or two pools; empty means that no pool has
    been given the traffic yet (the balancer answers 503). ``host`` may begin with ``*.``; ``path``
    is a prefix. The most specific route wins: longer path first, then exact host, then wildcard.
    """

    id: RouteId
    port: int
    host: str | None = None
    path: str | None = None
    weights: Mapping[PoolId, int] = field(default_factory=dict)
    priority: int = 0
    maintenance: Maintenance | None = None

    @property
    def live(self) -> tuple[PoolId, ...]:
        """The pools that receive traffic, largest share first."""
        ranked = sorted(self.weights.items(), key=lambda item: (-item[1], item[0]))
        return tuple(pool for pool, share in ranked if share > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """The balancer's own statistics page."""

    port: int
    address: str = "127.0.0.1"
    user: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Globals:
    """Settings of the balancer process itself; raw ``extra`` lines are in its own language."""

    maxconn: int = 4096
    ssl_bind_options: str | None = None
    ssl_bind_ciphers: str | None = None
    log_target: str | None = None
    stats: tuple[Stats, ...] = ()
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Everything the balancer does, as one value. Keys: port, route id, pool id."""

    listeners: Mapping[int, Listener] = field(default_factory=dict)
    routes: Mapping[RouteId, Route] = field(default_factory=dict)
    pools: Mapping[PoolId, Pool] = field(default_factory=dict)
    settings: Globals = Globals()

    def with_weights(self, route: RouteId, weights: Mapping[PoolId, int]) -> Routing:
        changed = replace(self.routes[route], weights=MappingProxyType(dict(weights)))
        return replace(self, routes={**self.routes, route: changed})

    def with_servers(self, pool: PoolId, servers: tuple[Server, ...]) -> Routing:
        changed = replace(self.pools[pool], servers=servers)
        return replace(self, pools={**self.pools, pool: changed})


class ServerHealth(StrEnum):
    """What the balancer's own check says of a server."""

    UP = "up"
    DOWN = "down"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """One server as the balancer reports it. ``in_flight`` counts requests now being served.

    ``last_check`` is what its check found, in the balancer's words; empty where it makes none.
    """

    name: str
    host: str
    port: int
    admin: Admin
    health: ServerHealth
    in_flight: int = 0
    last_check: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFacts:
    """``in_flight`` counts requests being served or queued in the whole pool, including those of
    servers that were already removed."""

    id: PoolId
    servers: tuple[ServerFacts, ...] = ()
    in_flight: int = 0
    requests: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerEvent:
    """The balancer's check changed its mind about a server. A reason to look, never a fact in itself.

    ``server`` is the name in :class:`Server`; both are empty when events may have been lost. ``why`` is in
    the balancer's own words. ``at`` is UNIX seconds.
    """

    pool: PoolId | None = None
    server: str = ""
    health: ServerHealth = ServerHealth.UNCHECKED
    why: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerFacts:
    """What the balancer says is true. A route or pool that is absent is unknown, not empty.

    ``unheard`` tells in words who may carry something else, as nothing is heard of them now.
    """

    weights: Mapping[RouteId, Mapping[PoolId, int]] = field(default_factory=dict)
    pools: Mapping[PoolId, PoolFacts] = field(default_factory=dict)
    unheard: tuple[str, ...] = ()
