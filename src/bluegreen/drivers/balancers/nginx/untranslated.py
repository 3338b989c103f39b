"""Names everything of a routing that NGINX has no words for, so that nobody finds out by its absence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bluegreen.domain.routing import Globals, Listener, Pool, Routing

_MEANT_ANYWAY = frozenset({"redispatch", "forwardfor", "httplog", "tcplog", "dontlognull", "httpchk"})
_KNOWN_TLS = frozenset({"no-sslv3", "no-tlsv10", "no-tlsv11", "no-tlsv12", "no-tlsv13"})
_RAW = "is in HAProxy's language and is left out"


def untranslated(routing: Routing, raw: bool) -> Iterator[str]:
    """Yield a sentence for each option, and unless ``raw`` each raw line, that is left out."""
    if not raw:
        yield from _raw_lines(routing)
    yield from _globals(routing.settings)
    for listener in routing.listeners.values():
        yield from _listener(listener)
    for pool in routing.pools.values():
        yield from _pool(pool)


def _raw_lines(routing: Routing) -> Iterator[str]:
    yield from _raw("the balancer", routing.settings.extra)
    for listener in routing.listeners.values():
        yield from _raw(f"port {listener.port}", listener.extra)
    for pool in routing.pools.values():
        yield from _raw(f"pool {pool.id}", pool.options.extra)


def _globals(settings: Globals) -> Iterator[str]:
    unknown = (word for word in (settings.ssl_bind_options or "").split() if word not in _KNOWN_TLS)
    yield from _raw("TLS", unknown)


def _listener(listener: Listener) -> Iterator[str]:
    where = f"port {listener.port}"
    yield from _raw(where, _options(listener.options))
    yield from _raw(where, (option for option in listener.bind_options if option != "accept-proxy"))
    yield from _raw(where, listener.tls.bind_options if listener.tls is not None else ())


def _pool(pool: Pool) -> Iterator[str]:
    where = f"pool {pool.id}"
    yield from _raw(where, _options(pool.options.options))


def _options(options: Iterable[str]) -> Iterator[str]:
    for option in options:
        if option.split() and option.split()[0] not in _MEANT_ANYWAY:
            yield f"option {option.strip()}"


def _raw(where: str, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"{where}: {line.strip()!r} {_RAW}"
