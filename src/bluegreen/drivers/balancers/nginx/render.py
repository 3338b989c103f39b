"""Renders a whole configuration: pure, golden-tested, checked by ``nginx -t`` before it is used.

What HAProxy does by its own words (raw lines and options of a stack file) NGINX cannot do: each of them is
named in :attr:`Rendering.warnings`. Rule: the text depends on nothing but the routing and the layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import Globals, Listener, Mode, Route, Routing, Stats
from bluegreen.drivers.balancers.nginx.layout import COMMON, ERROR_LOG, PID, STREAM, Layout
from bluegreen.drivers.balancers.nginx.locations import Here
from bluegreen.drivers.balancers.nginx.servers import address, render_listener
from bluegreen.drivers.balancers.nginx.shares import Share, share_of
from bluegreen.drivers.balancers.nginx.streams import render_stream
from bluegreen.drivers.balancers.nginx.untranslated import untranslated
from bluegreen.drivers.balancers.nginx.upstreams import render_upstream
from bluegreen.drivers.balancers.nginx.words import Shelf, block, directive, plain, whole_seconds
from bluegreen.drivers.proxies.validation import validate

HEADER = "# written by bluegreen, generation "
_PROTOCOLS = {"no-tlsv12": "TLSv1.2", "no-tlsv13": "TLSv1.3"}
"""Older ones are never spoken."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A configuration, the files it refers to by their names in NGINX's folder, and what it leaves out."""

    config: str
    files: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def render(routing: Routing, layout: Layout) -> Rendering:
    """Return the configuration of ``routing``. Raises ``balancer_refused`` for what has no words."""
    parts = _Parts.of(routing, layout)
    lines = [_header(layout), *_main(routing, layout), *block("http", parts.own_http()), ""]
    if parts.carries_tcp:
        if layout.stream_module is not None:
            lines.insert(1, f"load_module {plain(layout.stream_module)};")
        lines += [*block("stream", parts.stream()), ""]
    return Rendering("\n".join(lines), parts.shelf.files, tuple(parts.warnings))


def render_included(routing: Routing, layout: Layout) -> Rendering:
    """Return what the ``http`` block of somebody else's configuration is to include.

    The file ``STREAM`` of the layout is for its ``stream`` block, where TCP is carried. Nothing is set but
    for our own servers: the rest of that configuration is not ours.
    """
    common = f"include {plain(layout.base + COMMON)};"
    parts = _Parts.of(routing, layout, (common,))
    files = parts.shelf.files
    files[COMMON] = _text([_header(layout), *parts.common()])
    http = _text([_header(layout), *_MAPS, *parts.http()])
    if parts.carries_tcp:
        files[STREAM] = _text([_header(layout), *parts.stream()])
    return Rendering(http, files, tuple(parts.warnings))


def header(generation: int) -> str:
    """Return what a configuration of ``generation`` begins with."""
    return f"{HEADER}{generation}: "


def _header(layout: Layout) -> str:
    return f"{header(layout.generation)}do not edit, see `bluegreen inspect`"


def _text(lines: list[str]) -> str:
    return "\n".join([*lines, ""])


def _main(routing: Routing, layout: Layout) -> Iterator[str]:
    if layout.user is not None:
        yield f"user {plain(layout.user)};"
    yield f"pid {PID};"
    yield f"error_log {ERROR_LOG} notice;"
    if routing.settings.log_target:
        yield f"error_log syslog:server={plain(routing.settings.log_target)} notice;"
    yield "worker_processes auto;"
    yield f"worker_shutdown_timeout {whole_seconds(layout.old_worker_deadline)};"
    # A request takes two connections: one from the client and one to the instance.
    connections = 2 * max([routing.settings.maxconn, *(one.maxconn for one in routing.listeners.values())])
    yield f"worker_rlimit_nofile {2 * connections};"
    yield f"events {{ worker_connections {connections}; }}"
    yield ""


@dataclass(frozen=True, slots=True)
class _Parts:
    """The two halves of the configuration. ``begin`` is what every HTTP server begins with."""

    routing: Routing
    layout: Layout
    shares: Mapping[RouteId, Share]
    shelf: Shelf
    warnings: dict[str, None]
    begin: tuple[str, ...]

    @classmethod
    def of(cls, routing: Routing, layout: Layout, begin: tuple[str, ...] = ()) -> _Parts:
        validate(routing, routing.routes.values(), routing.pools.values())
        shares = {
            route.id: share_of(route, routing, number, layout.raw)
            for number, route in enumerate(routing.routes.values())
        }
        warnings: dict[str, None] = dict.fromkeys(untranslated(routing, layout.raw))
        return cls(routing, layout, shares, Shelf(layout.base), warnings, begin)

    @property
    def carries_tcp(self) -> bool:
        return any(listener.mode is Mode.TCP for listener in self.routing.listeners.values())

    def own_http(self) -> Iterator[str]:
        """Yield the whole ``http`` block of an NGINX of our own."""
        yield from _OWN
        yield from _MAPS
        yield from self.common()
        if not self.routing.settings.log_target:
            yield "access_log off;"
        yield ""
        yield from self.http()
        if self.layout.control is not None:
            yield from block("server", _control(self.layout))

    def common(self) -> Iterator[str]:
        """Yield what is true of all our servers."""
        yield from _COMMON
        yield from _tls(self.routing.settings)
        target = self.routing.settings.log_target
        if target:
            yield f"access_log syslog:server={plain(target)};"

    def http(self) -> Iterator[str]:
        yield from self._upstreams(Mode.HTTP)
        for listener in self._listeners(Mode.HTTP):
            yield from render_listener(self._routes(listener), self.shares, self._here(listener))
        for page in self.routing.settings.stats:
            yield from block("server", _stats(page, self.shelf))
        if self.layout.raw:
            yield from map(directive, self.routing.settings.extra)

    def stream(self) -> Iterator[str]:
        yield from self._upstreams(Mode.TCP)
        for listener in self._listeners(Mode.TCP):
            yield from render_stream(listener, self._routes(listener), self.shares, self.shelf)

    def _upstreams(self, mode: Mode) -> Iterator[str]:
        """Yield the pools that somebody may pass to, and what divides the traffic between two."""
        routes = [r for r in self.routing.routes.values() if self.routing.listeners[r.port].mode is mode]
        used: dict[PoolId, None] = {pool.id: None for r in routes for pool in self.shares[r.id].pools}
        for key in used:
            yield from render_upstream(self.routing.pools[key], self.layout.upstream_keepalive, self._warn)
            yield ""
        for route in routes:
            if self.shares[route.id].lines:
                yield from self.shares[route.id].lines
                yield ""

    def _here(self, listener: Listener) -> Here:
        return Here(listener, self.shelf, self.layout.raw, self.layout.keepalive, self.begin)

    def _listeners(self, mode: Mode) -> list[Listener]:
        return [listener for listener in self.routing.listeners.values() if listener.mode is mode]

    def _routes(self, listener: Listener) -> list[Route]:
        return [route for route in self.routing.routes.values() if route.port == listener.port]

    def _warn(self, words: str) -> None:
        self.warnings[words] = None


def _tls(settings: Globals) -> Iterator[str]:
    unwanted = (settings.ssl_bind_options or "").split()
    spoken = [version for word, version in _PROTOCOLS.items() if word not in unwanted] or ["TLSv1.3"]
    yield f"ssl_protocols {' '.join(spoken)};"
    if settings.ssl_bind_ciphers:
        yield f"ssl_ciphers {plain(settings.ssl_bind_ciphers)};"


def _control(layout: Layout) -> Iterator[str]:
    yield f"listen unix:{plain(layout.control or '')};"
    yield f'location = /generation {{ return 200 "{layout.generation}\\n"; }}'
    yield "location = /status { stub_status; }"


def _stats(page: Stats, shelf: Shelf) -> Iterator[str]:
    yield f"listen {address(page.address, page.port)};"
    if page.user is not None:
        users = shelf.store("users", f"{page.user}:{{PLAIN}}{page.password or ''}", "htpasswd")
        yield "auth_basic bluegreen;"
        yield f"auth_basic_user_file {users};"
    yield "location / { stub_status; }"


_OWN = """\
client_body_temp_path temp-body;
proxy_temp_path temp-proxy;
fastcgi_temp_path temp-fastcgi;
uwsgi_temp_path temp-uwsgi;
scgi_temp_path temp-scgi;
server_names_hash_bucket_size 256;
server_names_hash_max_size 4096;
variables_hash_max_size 4096;
""".splitlines()

_MAPS = """\

map $http_upgrade $bluegreen_upgraded { default upgrade; "" ""; }
map $http_host $bluegreen_host { default $http_host; "" $host; }

""".splitlines()

_COMMON = """\
server_tokens off;
merge_slashes off;
underscores_in_headers on;
client_max_body_size 0;
keepalive_requests 1000000;
default_type text/plain;
proxy_http_version 1.1;
proxy_set_header Host $bluegreen_host;
proxy_set_header Connection $bluegreen_upgraded;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_redirect off;
proxy_buffering off;
proxy_buffers 8 16k;
proxy_buffer_size 16k;
# Never non_idempotent: what changes something is not sent twice.
proxy_next_upstream error timeout invalid_header;
""".splitlines()
