"""Renders a whole configuration: pure, golden-tested, checked by ``haproxy -c`` before it is used.

The color is chosen per request by a lookup in the map of weights, so that a switch needs no new
configuration. Rule: the text depends on nothing but the routing and the layout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import Globals, Listener, Mode, Pool, Route, Routing, Stats, Tls
from bluegreen.drivers.balancers.haproxy import layout as names
from bluegreen.drivers.balancers.haproxy.backends import SERVER_INDENT, render_pool
from bluegreen.drivers.balancers.haproxy.layout import Layout
from bluegreen.drivers.balancers.haproxy.maintenance import render_maintenance
from bluegreen.drivers.balancers.haproxy.matching import render_matching
from bluegreen.drivers.balancers.haproxy.request_log import log_lines, ring
from bluegreen.drivers.balancers.haproxy.weights import map_text
from bluegreen.drivers.balancers.haproxy.words import quoted
from bluegreen.drivers.proxies.words import milliseconds, name

HEADER = "# written by bluegreen, generation "
NO_POOL = "bluegreen:none"
_HASHED_PASSWORDS = ("$1$", "$5$", "$6$", "$2a$", "$2y$")


@dataclass(frozen=True, slots=True)
class Rendering:
    """A configuration, and the files that it refers to by their names in the state folder."""

    config: str
    files: dict[str, str] = field(default_factory=dict)


class PoolTexts:
    """Remembers the text of each pool for as long as the pool is the same object."""

    def __init__(self) -> None:
        self._texts: dict[PoolId, tuple[Pool, str]] = {}

    def __call__(self, pool: Pool) -> str:
        known = self._texts.get(pool.id)
        if known is None or known[0] is not pool:
            known = self._texts[pool.id] = (pool, render_pool(pool))
        return known[1]


def render(routing: Routing, layout: Layout, pool_text: Callable[[Pool], str] = render_pool) -> Rendering:
    """Return the configuration of ``routing``. Raises ``balancer_refused`` for what has no words."""
    files = {layout.routes_map: map_text(routing.routes.values())}
    parts = [f"{HEADER}{layout.generation}: do not edit, see `bluegreen inspect`\n"]
    parts.append(_section("global", _globals(routing.settings, layout)))
    parts.append(_section("defaults", _defaults(routing.settings)))
    parts += [ring()] if layout.request_log else []
    parts += [_stats(page) for page in routing.settings.stats]
    by_port: dict[int, list[Route]] = {port: [] for port in routing.listeners}
    for route in routing.routes.values():
        by_port[route.port].append(route)
    for port, listener in routing.listeners.items():
        logs = list(log_lines(listener, others_log=bool(routing.settings.log_target)))
        parts.append(_frontend(listener, by_port[port], layout, files, logs if layout.request_log else []))
    parts.append(_NOBODY)
    parts += [pool_text(pool) for pool in routing.pools.values()]
    return Rendering("\n".join(parts), files)


def structure_of(config: str) -> str:
    """Return what only a reload can change: the text without servers."""
    return "\n".join(line for line in config.splitlines() if not line.startswith(SERVER_INDENT))


def _section(title: str, lines: Iterator[str]) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines)]) + "\n"


def _globals(settings: Globals, layout: Layout) -> Iterator[str]:
    yield f"stats socket unix@{names.ADMIN_SOCKET} mode 600 level admin expose-fd listeners"
    yield "stats timeout 1m"
    yield f"server-state-file {names.STATE_FILE}"
    yield f"hard-stop-after {milliseconds(layout.old_worker_deadline)}"
    yield f"maxconn {settings.maxconn}"
    yield "no strict-limits"  # few file descriptors shall mean fewer connections, not no balancer
    if settings.ssl_bind_options:
        yield f"ssl-default-bind-options {settings.ssl_bind_options}"
    if settings.ssl_bind_ciphers:
        yield f"ssl-default-bind-ciphers {settings.ssl_bind_ciphers}"
    if settings.log_target:
        yield f"log {settings.log_target} local0"
        yield f"log {settings.log_target} local1 notice"
    yield from settings.extra


def _defaults(settings: Globals) -> Iterator[str]:
    yield "mode http"
    yield "timeout connect 5s"
    yield "timeout client 50s"
    yield "timeout server 50s"
    yield "load-server-state-from-file global"
    yield "option dontlognull"
    if settings.log_target:
        yield "log global"


def _stats(page: Stats) -> str:
    def lines() -> Iterator[str]:
        yield f"bind {_address(page.address)}:{page.port}"
        yield "stats enable"
        yield "stats uri /"
        yield "stats hide-version"
        if page.user is not None:
            credentials = f"{page.user}:{page.password or ''}"
            yield f"stats auth {quoted(credentials)}"

    return _section(f"frontend stats:{page.port}", lines())


def _frontend(
    listener: Listener, routes: list[Route], layout: Layout, files: dict[str, str], logs: list[str]
) -> str:
    lines = [*_frontend_settings(listener, files), *logs]
    if listener.mode is Mode.HTTP:
        matching = render_matching(routes)
        files.update(matching.files)
        lines += [*_http_rules(listener), *matching.lines, *render_maintenance(routes, files)]
        lines += _split("http-request", layout)
    else:
        lines += [f"tcp-request content set-var(txn.route) str({name(route.id)})" for route in routes]
        lines += _split("tcp-request content", layout)
    lines += listener.extra
    lines.append("use_backend %[var(txn.pool)] if { var(txn.pool) -m found }")
    lines.append(f"default_backend {NO_POOL if listener.mode is Mode.HTTP else NO_POOL + ':tcp'}")
    return _userlist(listener) + _section(f"frontend listener:{listener.port}", iter(lines))


def _frontend_settings(listener: Listener, files: dict[str, str]) -> Iterator[str]:
    yield f"mode {listener.mode}"
    words = [f"bind {_address(listener.address)}:{listener.port}", *_tls(listener.tls, files)]
    yield " ".join([*words, *listener.bind_options])
    yield f"maxconn {listener.maxconn}"
    yield f"timeout client {milliseconds(listener.client_timeout)}"
    yield from (f"option {option}" for option in listener.options if option.split()[0] != "forwardfor")


def _http_rules(listener: Listener) -> Iterator[str]:
    yield f"timeout http-keep-alive {milliseconds(max(60.0, listener.client_timeout))}"
    # Clients that keep connections open learn of a reload from the answer to their next request.
    yield "option idle-close-on-response"
    yield "option forwardfor"
    if listener.basic_auth:
        yield f"http-request auth realm bluegreen unless {{ http_auth(users:{listener.port}) }}"
    yield "http-request set-header X-Forwarded-Proto https if { ssl_fc }"
    yield "http-request set-header X-Forwarded-Proto http if !{ ssl_fc }"


def _split(verb: str, layout: Layout) -> Iterator[str]:
    """Yield the rules that turn ``txn.route`` into ``txn.pool`` by the route's entry in the map."""
    yield f"{verb} set-var(txn.split) var(txn.route),map_str({layout.routes_map})"
    yield f"{verb} set-var(txn.pool) var(txn.split),field(1,/)"
    yield f"{verb} set-var(txn.share) var(txn.split),field(3,/)"
    dice = "{ var(txn.share) -m found } { rand(100),sub(txn.share) ge 0 }"
    yield f"{verb} set-var(txn.pool) var(txn.split),field(2,/) if {dice}"


def _tls(tls: Tls | None, files: dict[str, str]) -> Iterator[str]:
    if tls is None:
        return
    yield "ssl"
    for pem in tls.certificates:
        yield f"crt {_stored(pem, files)}"
    if tls.client_ca is not None:
        yield f"ca-file {_stored(tls.client_ca, files)} verify required"
    yield "alpn h2,http/1.1"
    yield from tls.bind_options


def _stored(pem: str, files: dict[str, str]) -> str:
    file = f"cert-{hashlib.sha256(pem.encode()).hexdigest()[:12]}.pem"
    files[file] = pem if pem.endswith("\n") else pem + "\n"
    return file


def _userlist(listener: Listener) -> str:
    if not listener.basic_auth:
        return ""

    def lines() -> Iterator[str]:
        for user, password in listener.basic_auth:
            kind = "password" if password.startswith(_HASHED_PASSWORDS) else "insecure-password"
            yield f"user {quoted(user)} {kind} {quoted(password)}"

    return _section(f"userlist users:{listener.port}", lines()) + "\n"


def _address(address: str) -> str:
    return f"[{address}]" if ":" in address else address


_NOBODY = f"""backend {NO_POOL}
  http-request return status 503 content-type text/plain hdr Retry-After 1 \
lf-string "no release of %[var(txn.route)] has the traffic yet\\n" if {{ var(txn.route) -m found }}
  http-request return status 503 content-type text/plain string "nothing is routed here\\n"

backend {NO_POOL}:tcp
  mode tcp
  tcp-request content reject
"""
