"""Renders one pool as an ``upstream`` block. Directives: ngx_http_upstream_module, NGINX 1.18 and newer.

NGINX asks no server whether it is well: who is a server is decided before, and what fails users' requests
(refused, cut, silent; an answer of 5xx does not count, for NGINX would count those of the whole window and
take a service down for one bad page) is left alone for a short while.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from bluegreen.domain.routing import Admin, Mode, Pool, Server
from bluegreen.drivers.balancers.nginx.words import block, plain, whole_seconds
from bluegreen.drivers.proxies.words import endpoint, name

Warn = Callable[[str], None]

FAIL_TIMEOUT = "2s"
"""Both the window in which failures are counted and the time a server is then left alone."""

_ALGORITHMS = {
    "roundrobin": "",
    "static-rr": "",
    "leastconn": "least_conn;",
    "random": "random;",
    "source": "hash $remote_addr consistent;",
    "uri": "hash $request_uri consistent;",
}
_HASHED = re.compile(r"(hdr|url_param)[( ]\s*([A-Za-z0-9_-]+)\s*\)?")
_NEEDLESS = frozenset({"check", "inter", "rise", "fall"})


def serves(pool: Pool) -> bool:
    """Whether any server of the pool takes requests: NGINX refuses an upstream without one."""
    return any(_usable(server) for server in pool.servers)


def render_upstream(pool: Pool, idle: float, warn: Warn) -> list[str]:
    """Return the ``upstream`` of ``pool``, which must have a server that serves.

    ``idle`` is how many seconds a connection to an instance is kept for the next request.
    """
    return list(block(f"upstream {name(pool.id)}", _lines(pool, idle, warn)))


def _lines(pool: Pool, idle: float, warn: Warn) -> Iterator[str]:
    yield f"zone {name(pool.id)} 64k;"  # failures are counted over all workers
    algorithm = _algorithm(pool, warn)
    if algorithm:
        yield algorithm
    words = _server_options(pool, warn)
    for server in pool.servers:
        yield f"server {' '.join([*_server(pool, server), *words])};"
    if pool.options.mode is Mode.HTTP:
        yield "keepalive 64;"
        yield "keepalive_requests 1000000;"
        yield f"keepalive_timeout {whole_seconds(idle)};"


def _server(pool: Pool, server: Server) -> Iterator[str]:
    yield endpoint(server.host, server.port)
    yield f"weight={max(1, server.weight)}"
    errors = pool.options.passive_errors
    yield f"max_fails={0 if errors is None or server.forced_up else errors}"
    yield f"fail_timeout={FAIL_TIMEOUT}"
    if not _usable(server):
        yield "down"


def _usable(server: Server) -> bool:
    return server.admin is Admin.READY and server.weight > 0


def _algorithm(pool: Pool, warn: Warn) -> str:
    options = pool.options
    if options.cookie is not None:
        warn(f"pool {pool.id}: NGINX has no session cookies; clients stay with an instance by their address")
        return _ALGORITHMS["source"]
    words = options.balance.split() or ["roundrobin"]
    if words[0] in _ALGORITHMS:
        chosen = _ALGORITHMS[words[0]]
    elif found := _HASHED.match(options.balance):
        key = found[2].lower().replace("-", "_") if found[1] == "hdr" else found[2]
        chosen = f"hash ${'http_' if found[1] == 'hdr' else 'arg_'}{key} consistent;"
    else:
        warn(f"pool {pool.id}: NGINX has no balancing {options.balance!r}; requests go round")
        return ""
    if options.mode is Mode.TCP and "hash $" in chosen and "remote_addr" not in chosen:
        warn(f"pool {pool.id}: plain TCP cannot be balanced by {options.balance!r}; connections go round")
        return ""
    return chosen


def _server_options(pool: Pool, warn: Warn) -> list[str]:
    """Return the words that raw options of servers come to."""
    words = []
    for option in pool.options.server_options:
        first, _, value = option.strip().partition(" ")
        if first == "maxconn" and value.isdigit():
            words.append(f"max_conns={plain(value)}")
        elif first not in _NEEDLESS:
            warn(f"pool {pool.id}: the server option {option.strip()!r} has no counterpart in NGINX")
    return words
