"""Which route a request takes, as NGINX finds it: first the server by host, then the longest prefix.

Rules of the house (:class:`bluegreen.domain.routing.Route`): higher priority first, then the longer path,
then exact host, wildcard, any. NGINX looks at the host before the path, so each host gets all paths that a
request for it may take, and each path the route that wins there: the first of those that fit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bluegreen.domain.routing import Route
from bluegreen.drivers.proxies.words import name, refused

ANY = "_"
"""The server of every host that has none of its own."""


@dataclass(frozen=True, slots=True)
class Place:
    """A location: ``path`` is a prefix unless ``exact``. ``route`` of ``None``: nothing is routed there."""

    path: str
    exact: bool
    route: Route | None


def hosts(routes: Iterable[Route], others: Iterable[str] = ()) -> list[str]:
    """Return the hosts that need a server of their own: exact ones, wildcards, then :data:`ANY`."""
    named = {_host(route) for route in routes if route.host is not None} | set(others)
    return [*sorted(named, key=lambda host: (host.startswith("*."), host)), ANY]


def places(routes: Iterable[Route], host: str) -> list[Place]:
    """Return the locations of the server of ``host``, each with the route that wins there."""
    fitting = sorted((route for route in routes if _covers(route, host)), key=_order)
    paths = {_path(route) for route in fitting} | {"/"}
    # To a prefix that ends with a slash NGINX redirects requests without the slash: those go where they went.
    bare = {path.rstrip("/") for path in paths if path.endswith("/") and path.strip("/")} - paths
    found = [Place(path, False, winner(fitting, path)) for path in paths]
    found += [Place(path, True, winner(fitting, path)) for path in bare]
    return sorted(found, key=lambda place: (place.path, not place.exact))


def winner(fitting: Iterable[Route], path: str) -> Route | None:
    """Return the first of the routes, most specific first, whose prefix ``path`` has."""
    return next((route for route in fitting if path.startswith(route.path or "")), None)


def _order(route: Route) -> tuple[int, int, int, int, str]:
    host = route.host or ""
    kind = 2 if not host else 1 if host.startswith("*.") else 0
    return -route.priority, -len(route.path or ""), kind, -len(host), route.id


def _covers(route: Route, host: str) -> bool:
    if route.host is None:
        return True
    own = _host(route)
    return own == host or (own.startswith("*.") and host.endswith(own[1:]))


def _host(route: Route) -> str:
    host = (route.host or "").lower()
    name(host.removeprefix("*."))
    return host


def _path(route: Route) -> str:
    path = route.path or "/"
    if not path.startswith("/"):
        raise refused(f"the path of route {route.id} is {path!r}", "Begin it with a slash.")
    return path
