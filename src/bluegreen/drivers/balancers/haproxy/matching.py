"""Renders which route a request takes: the table of hosts and paths of one listener.

Rules of the house (:class:`bluegreen.domain.routing.Route`): higher priority first, then the longer
path, then exact host, wildcard, any. Routes that differ only in their exact host become one lookup,
so that a request's cost grows with the distinct paths, not with the number of services.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from bluegreen.domain.routing import Route
from bluegreen.drivers.balancers.haproxy.words import quoted
from bluegreen.drivers.proxies.words import name, refused

_HOST = "req.hdr(host),field(1,:),lower"
_UNSET = "!{ var(txn.route) -m found }"


@dataclass(frozen=True, slots=True)
class Matching:
    """The rule lines of a listener, and the files that they look things up in."""

    lines: tuple[str, ...]
    files: tuple[tuple[str, str], ...]


def render_matching(routes: Iterable[Route]) -> Matching:
    """Return the rules that set ``txn.route``, most specific first: the first that fits wins."""
    lines: list[str] = []
    files: list[tuple[str, str]] = []
    for key, group in groupby(sorted(routes, key=_order), key=_group):
        members = list(group)
        if key[2] == _EXACT and len(members) > 1:
            content = "".join(sorted(f"{_host(route)} {name(route.id)}\n" for route in members))
            file = f"hosts-{hashlib.sha256(content.encode()).hexdigest()[:12]}.map"
            files.append((file, content))
            path = f" {_path(members[0])}" if members[0].path else ""
            lines.append(f"http-request set-var(txn.route) {_HOST},map_str({file}) if {_UNSET}{path}")
        else:
            lines.extend(_rule(route) for route in members)
    return Matching(tuple(lines), tuple(files))


_EXACT, _WILDCARD, _ANY = range(3)


def _kind(route: Route) -> int:
    if route.host is None:
        return _ANY
    return _WILDCARD if route.host.startswith("*.") else _EXACT


def _order(route: Route) -> tuple[int, int, str, int, int, str]:
    path = route.path or ""
    return -route.priority, -len(path), path, _kind(route), -len(route.host or ""), route.id


def _group(route: Route) -> tuple[int, str, int]:
    return route.priority, route.path or "", _kind(route)


def _rule(route: Route) -> str:
    conditions = " ".join((_UNSET, *_conditions(route)))
    return f"http-request set-var(txn.route) str({name(route.id)}) if {conditions}"


def _conditions(route: Route) -> Iterator[str]:
    if route.path:
        yield _path(route)
    if route.host is None:
        return
    if _kind(route) == _WILDCARD:
        yield f"{{ {_HOST} -m end {_host(route)} }}"
    else:
        yield f"{{ {_HOST} -m str {_host(route)} }}"


def _path(route: Route) -> str:
    return f"{{ path -m beg {quoted(route.path or '')} }}"


def _host(route: Route) -> str:
    """Return the host as it is compared: lower case, a wildcard as its dotted end."""
    host = (route.host or "").lower().removeprefix("*")
    name(host)
    if "*" in host:
        raise refused(f"the host of route {route.id} is {route.host!r}", "Write a wildcard as *.example.org.")
    return host
