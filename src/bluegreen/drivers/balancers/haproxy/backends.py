"""Renders one pool as a backend, and its servers as the words of ``server`` lines.

The same words serve the file and the ``add server`` command, so that a restart comes up with exactly
what was built at run time. Settings: HAProxy 2.8 configuration manual, sections 4.2 and 5.2.
"""

from __future__ import annotations

from collections.abc import Iterator

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.routing import Admin, Mode, Pool, PoolOptions, Server
from bluegreen.drivers.balancers.haproxy.layout import EVENTS_SOCKET
from bluegreen.drivers.balancers.haproxy.words import formatted, quoted
from bluegreen.drivers.proxies.words import endpoint, milliseconds, name

SERVER_INDENT = "  server "
CHECKED = "  timeout check "
"""Begins the line that every backend has whose servers are checked."""
LAST_SUFFIX = ":last"
_DYNAMIC = frozenset({"roundrobin", "leastconn", "first", "random"})
_HASHED = frozenset({"source", "uri", "url_param", "hdr", "rdp-cookie", "hash"})
_ALREADY_SET = frozenset({"redispatch", "forwardfor", "httplog", "tcplog", "dontlognull", "httpchk"})
_NOT_IDEMPOTENT = "{ method POST PATCH CONNECT }"


def is_static(pool: Pool) -> bool:
    """Whether servers of this pool can change by a reload only (cookies, fixed-size balancing)."""
    algorithm = pool.options.balance.split("(")[0].split()[0]
    return pool.options.cookie is not None or algorithm not in _DYNAMIC | _HASHED


def has_check(pool: Pool) -> bool:
    """Whether HAProxy asks the servers of this pool by itself."""
    return pool.check.kind is not CheckKind.NONE


def has_twin(pool: Pool, server: Server) -> bool:
    """Whether a second, unchecked server of the same address stands by for when no other is up."""
    if not (pool.options.keep_last_good and has_check(pool)) or server.forced_up:
        return False
    return "backup" not in " ".join(pool.options.server_options).split()


def render_pool(pool: Pool) -> str:
    """Return the ``backend`` section of ``pool`` with its ``server`` lines last."""
    options = pool.options
    lines = [f"backend {name(pool.id)}", *(f"  {line}" for line in _settings(options))]
    lines += [f"  {line}" for line in _health(pool)]
    lines += [f"  {line}" for line in options.extra]
    lines += [f"{SERVER_INDENT}{name(s.name)} {server_words(pool, s)}" for s in pool.servers]
    twins = (s for s in pool.servers if has_twin(pool, s))
    lines += [f"{SERVER_INDENT}{s.name}{LAST_SUFFIX} {_twin_line(pool, s)}" for s in twins]
    return "\n".join(lines) + "\n\n"


def server_words(pool: Pool, server: Server) -> str:
    """Return everything after the name on a ``server`` line of the file."""
    words = [dynamic_words(pool, server, _weight(server))]
    if pool.options.cookie is not None:
        words.append(f"cookie {server.name}")
    return " ".join([*words, *_disabled(server)])


def dynamic_words(pool: Pool, server: Server, weight: int) -> str:
    """Return the words of a server that both the file and ``add server`` understand."""
    words = [endpoint(server.host, server.port), f"weight {weight}"]
    if has_check(pool) and not server.forced_up:
        check = pool.check
        words += _check_words(pool)
        words.append(f"inter {milliseconds(check.interval)} rise {check.rise} fall {check.fall}")
        words += _passive_words(pool.options)
    return " ".join([*words, *pool.options.server_options])


def twin_words(pool: Pool, server: Server, weight: int) -> str:
    """Return the words of the server that stands by for ``server``: see :func:`has_twin`."""
    return " ".join(
        [endpoint(server.host, server.port), f"weight {weight} backup", *pool.options.server_options]
    )


def probe_words(pool: Pool, server: Server, interval_ms: int) -> str:
    """Return the words of a second, never chosen server that only checks, and does so at once."""
    words = [endpoint(server.host, server.port), "weight 0", *_check_words(pool)]
    return " ".join([*words, f"inter {interval_ms}ms rise 1 fall 1", *pool.options.server_options])


def _twin_line(pool: Pool, server: Server) -> str:
    # Without a cookie: it is chosen when nobody else is left, never by a client.
    return " ".join([twin_words(pool, server, _weight(server)), *_disabled(server)])


def _weight(server: Server) -> int:
    return 0 if server.admin is Admin.DRAIN else server.weight


def _disabled(server: Server) -> Iterator[str]:
    if server.admin is Admin.MAINT:
        yield "disabled"


def _check_words(pool: Pool) -> Iterator[str]:
    yield "check"
    check = pool.check
    if check.port is not None:
        yield f"port {check.port}"
    # A command inside an instance cannot be asked from here: its port stands for it, without TLS.
    if check.tls and check.kind is not CheckKind.EXEC:
        yield "check-ssl"
        if "verify" not in " ".join(pool.options.server_options).split():
            yield "verify none"
        if check.host is not None:
            yield f"check-sni {name(check.host)}"


def _passive_words(options: PoolOptions) -> Iterator[str]:
    # Only errors in a row count: HAProxy begins anew at each good answer. 501 and 505 are none.
    if options.passive_errors is not None:
        layer = "layer7" if options.mode is Mode.HTTP else "layer4"
        yield f"observe {layer} error-limit {options.passive_errors} on-error mark-down"


def _health(pool: Pool) -> Iterator[str]:
    yield from _check(pool.check)
    if has_check(pool):
        # A log of the backend is told what happens to its servers; traffic is logged by frontends.
        yield f"log unix@{EVENTS_SOCKET} format raw local0 notice"
        if pool.options.keep_last_good:
            yield "option allbackups"


def _check(check: HealthCheck) -> Iterator[str]:
    """Yield the lines that say what a check asks and what it takes for well.

    HAProxy has no bound of its own for connecting a check: it takes the shorter of ``timeout connect``
    and the interval. ``timeout check`` then bounds the rest.
    """
    if check.kind is not CheckKind.NONE:
        yield f"{CHECKED.strip()} {milliseconds(check.timeout)}"
    if check.kind is not CheckKind.HTTP:
        return
    headers = (("Host", check.host or "localhost"), *check.headers)
    sent = " ".join(f"hdr {name(key)} {formatted(value)}" for key, value in headers)
    yield "option httpchk"
    yield f"http-check send meth {name(check.method)} uri {quoted(check.path)} ver HTTP/1.1 {sent}"
    yield f"http-check expect status {','.join(f'{low}-{high}' for low, high in check.expect)}"
    if check.body is not None:
        yield f"http-check expect string {quoted(check.body)}"


def _settings(options: PoolOptions) -> Iterator[str]:
    yield f"mode {options.mode}"
    yield f"balance {options.balance}"
    if options.balance.split("(")[0].split()[0] in _HASHED:
        yield "hash-type consistent"  # the only hash whose servers may come and go at run time
    yield f"timeout connect {milliseconds(options.connect_timeout)}"
    yield f"timeout server {milliseconds(options.server_timeout)}"
    yield f"timeout queue {milliseconds(options.queue_timeout)}"
    yield f"retries {options.retries}"
    yield "option redispatch 1"
    yield from _options(options.options)
    if options.mode is Mode.HTTP:
        yield from _http_settings(options)


def _http_settings(options: PoolOptions) -> Iterator[str]:
    # A retry after the connection was made may repeat the request: never for those that change things.
    # The last one is an answer cut short in its headers: it was never given to the client.
    yield "retry-on conn-failure empty-response junk-response"
    yield f"http-request disable-l7-retry if {_NOT_IDEMPOTENT}"
    if options.force_ssl:
        yield "http-request redirect scheme https code 301 if !{ ssl_fc }"
    if options.hsts_max_age is not None:
        value = formatted(f"max-age={options.hsts_max_age}; includeSubDomains")
        yield f"http-response set-header Strict-Transport-Security {value} if {{ ssl_fc }}"
    if options.gzip_types is not None:
        yield "compression algo gzip"
        yield f"compression type {options.gzip_types}"
    if options.cookie is not None:
        how = "" if " " in options.cookie.strip() else " insert indirect nocache"
        yield f"cookie {options.cookie.strip()}{how}"


def _options(options: tuple[str, ...]) -> Iterator[str]:
    for option in options:
        words = option.split()
        if words and words[0] not in _ALREADY_SET:
            yield f"option {option.strip()}"
