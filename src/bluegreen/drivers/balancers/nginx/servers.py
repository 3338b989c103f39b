"""Renders one HTTP listener: a ``server`` for each host that is routed, and one for all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bluegreen.domain.naming import RouteId
from bluegreen.domain.routing import Listener, Maintenance, Route, Tls
from bluegreen.drivers.balancers.nginx.certificates import fitting, hosts_of
from bluegreen.drivers.balancers.nginx.locations import Here, health_place, page_place, render_place
from bluegreen.drivers.balancers.nginx.matching import ANY, Place, hosts, places
from bluegreen.drivers.balancers.nginx.shares import Share
from bluegreen.drivers.balancers.nginx.words import Shelf, block, directive, plain, whole_seconds
from bluegreen.drivers.proxies.words import milliseconds, refused

_HASHED = ("$1$", "$5$", "$6$", "$2a$", "$2y$", "$apr1$")


def render_listener(routes: Sequence[Route], shares: Mapping[RouteId, Share], here: Here) -> Iterator[str]:
    """Yield the servers of ``here.listener``."""
    tls = here.listener.tls
    several = tls is not None and len(tls.certificates) > 1
    # HAProxy picks a certificate by its names; here only a server of its own can have its own certificate.
    certified = {host for pem in (tls.certificates if tls and several else ()) for host in hosts_of(pem)}
    for host in hosts(routes, certified):
        yield from block("server", _server(host, routes, shares, here))
        yield ""


def listen(listener: Listener, *words: str) -> str:
    """Return the ``listen`` directive; a raw ``accept-proxy`` of the listener is understood."""
    accepts_proxy = ["proxy_protocol"] if "accept-proxy" in listener.bind_options else []
    return " ".join([f"listen {address(listener.address, listener.port)}", *words, *accepts_proxy]) + ";"


def address(host: str, port: int) -> str:
    if not host:
        return str(port)
    return f"[{plain(host)}]:{port}" if ":" in host else f"{plain(host)}:{port}"


def certificate(tls: Tls, host: str, shelf: Shelf) -> Iterator[str]:
    """Yield the certificate for ``host`` and whose clients' certificates are asked for."""
    if not tls.certificates:
        raise refused("a TLS listener has no certificate", "Give it one.")
    file = shelf.store("cert", fitting(tls.certificates, host), "pem")
    yield f"ssl_certificate {file};"
    yield f"ssl_certificate_key {file};"
    if tls.client_ca is not None:
        yield f"ssl_client_certificate {shelf.store('cert', tls.client_ca, 'pem')};"
        yield "ssl_verify_client on;"


def _server(host: str, routes: Sequence[Route], shares: Mapping[RouteId, Share], here: Here) -> Iterator[str]:
    listener = here.listener
    words = ["default_server"] if host == ANY else []
    yield listen(listener, *words, *(["ssl", "http2"] if listener.tls else []))
    yield f"server_name {host};"
    if listener.tls is not None:
        yield from certificate(listener.tls, host, here.shelf)
    yield from here.common
    yield from _clients(here)
    yield from (map(directive, listener.extra) if here.raw else ())
    found = places(routes, host)
    for place in found:
        yield ""
        route = place.route
        yield from render_place(place, shares[route.id] if route is not None else Share(None), here)
    yield from _maintenance(found, here)


def _clients(here: Here) -> Iterator[str]:
    listener = here.listener
    patience = milliseconds(listener.client_timeout)
    yield f"client_header_timeout {patience};"
    yield f"client_body_timeout {patience};"
    yield f"send_timeout {patience};"
    yield f"keepalive_timeout {whole_seconds(here.keepalive) if here.keepalive else 0};"
    if listener.basic_auth:
        yield "auth_basic bluegreen;"
        yield f"auth_basic_user_file {here.shelf.store('users', _users(listener), 'htpasswd')};"


def _users(listener: Listener) -> str:
    lines = []
    for user, password in listener.basic_auth:
        if ":" in user or any(ord(character) < 32 for character in user + password):
            raise refused(f"{user!r} or its password cannot be written down", "Use printable characters.")
        lines.append(f"{user}:{'' if password.startswith(_HASHED) else '{PLAIN}'}{password}")
    return "\n".join(lines)


def _maintenance(found: Sequence[Place], here: Here) -> Iterator[str]:
    """Yield the pages of routes in maintenance, and the paths that go on answering 200."""
    routes = {p.route.id: p.route for p in found if p.route is not None and p.route.maintenance is not None}
    pages: dict[str, Maintenance] = {}
    taken = {place.path for place in found if place.exact}
    for route in routes.values():
        maintenance = route.maintenance
        assert maintenance is not None
        pages.setdefault(maintenance.page, maintenance)
        health = maintenance.health_path
        if health and health not in taken and _wins(found, health, route):
            taken.add(health)
            yield ""
            yield from health_place(health)
    for maintenance in pages.values():
        yield ""
        yield from page_place(maintenance, here.shelf)


def _wins(found: Sequence[Place], path: str, route: Route) -> bool:
    """Whether a request for exactly ``path`` takes ``route``."""
    fits = [place for place in found if not place.exact and path.startswith(place.path)]
    return max(fits, key=lambda place: len(place.path)).route is route
