"""``x-bluegreen.route``: a service says itself what the balancer sends to it.

Such a service is *managed*: one service, two colors that alternate. Its routes hang on a balancer
of the file when ``balancer`` names one, else on one that comes with the stack, called ``balancer``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.routing import Listener, Mode, PoolOptions, Tls
from bluegreen.domain.spec import Link
from bluegreen.domain.stack import BalancerSpec, RouteSpec, candidates
from bluegreen.stack.balancer_env.listener import pem
from bluegreen.stack.balancers import with_keys
from bluegreen.stack.checks import own_check
from bluegreen.stack.members import Member, siblings
from bluegreen.stack.models.own import RouteKeys
from bluegreen.stack.problems import Invalid, suggest
from bluegreen.stack.tree import Report
from bluegreen.stack.virtual_hosts import VirtualHost

IMPLIED = "balancer"


@dataclass(slots=True)
class _Gathered:
    """What the services that chose one balancer ask of it."""

    listeners: dict[int, Listener] = field(default_factory=dict)
    routes: list[RouteSpec] = field(default_factory=list)
    links: dict[str, Link] = field(default_factory=dict)
    checks: dict[str, HealthCheck] = field(default_factory=dict)
    options: dict[str, PoolOptions] = field(default_factory=dict)


def add_managed(
    members: Mapping[str, Member],
    declared: Mapping[str, BalancerSpec],
    taken: tuple[RouteSpec, ...],
    publish: Mapping[int, int],
) -> tuple[dict[str, BalancerSpec], tuple[RouteSpec, ...]]:
    """Return the balancers and the routes with those of all managed services added."""
    gathered: dict[str, _Gathered] = {}
    for member in members.values():
        if member.driver is None and member.service.own.route:
            _gather(member, members, declared, gathered, publish)
    specs = dict(declared)
    routes = list(taken)
    for name, extra in gathered.items():
        specs[name] = _merge(declared.get(name, BalancerSpec(name=name)), extra)
        routes += extra.routes
    return specs, _unique(routes, members)


def _gather(
    member: Member,
    members: Mapping[str, Member],
    declared: Mapping[str, BalancerSpec],
    gathered: dict[str, _Gathered],
    publish: Mapping[int, int],
) -> None:
    ordinary = frozenset(name for name, other in members.items() if other.driver is None)
    several = len(member.service.own.route) > 1
    for index, keys in enumerate(member.service.own.route):
        report = member.report.under("x-bluegreen", "route", index)
        balancer = _balancer_name(keys, declared, members, report)
        into = gathered.setdefault(balancer, _Gathered())
        port = _listen(keys, member, into, publish, report)
        _describe(member, into)
        shared = _sibling_route(into, member.name, keys, port)
        if shared is not None:
            at = into.routes.index(shared)
            into.routes[at] = replace(
                shared, candidates=tuple(dict.fromkeys((*shared.candidates, member.name)))
            )
            continue
        route = RouteSpec(
            name=_route_name(keys, member.name, port, several),
            balancer=balancer,
            port=port,
            target=member.name,
            candidates=candidates((member.name,), ordinary),
            host=keys.host,
            path=None if keys.path == "/" else keys.path,
        )
        into.routes.append(route)


def _balancer_name(
    keys: RouteKeys, declared: Mapping[str, BalancerSpec], members: Mapping[str, Member], report: Report
) -> str:
    name = keys.balancer or IMPLIED
    if name in members and name not in declared:
        message = f"{name!r} is a service and not a balancer"
        hint = suggest(name, declared) or f"rename the service {name}, or name a balancer under `balancer`"
        report.error("name_collision", message, hint=hint)
    elif keys.balancer and name not in declared and name != IMPLIED:
        hint = suggest(name, [*declared, IMPLIED])
        report.error("unknown_balancer", f"there is no balancer {name!r}", "balancer", hint=hint)
    return name


def _listen(
    keys: RouteKeys, member: Member, into: _Gathered, publish: Mapping[int, int], report: Report
) -> int:
    address, port = keys.listen or ("", None)
    if port is not None and keys.port is not None and port != keys.port:
        report.error(
            "conflicting_keys", "port and listen name different ports", "listen", hint="keep one of them"
        )
    if keys.mode == "tcp" and (keys.host or keys.path):
        hint = "use a port of its own for each TCP route"
        report.error("conflicting_keys", "a TCP route knows neither host nor path", "mode", hint=hint)
    number = port or keys.port or (443 if keys.certificates else 80)
    number = publish.get(number, number)
    balancing = member.service.own.balancer
    listener = Listener(
        port=number,
        address=address,
        mode=Mode(keys.mode),
        tls=_tls(keys, report),
        client_timeout=(balancing and balancing.client_timeout) or 50.0,
        maxconn=(balancing and balancing.maxconn) or 4096,
    )
    into.listeners[number] = _joined(into.listeners.get(number), listener, report)
    return number


def _joined(before: Listener | None, now: Listener, report: Report) -> Listener:
    """Return the listener that two routes on one port share."""
    if before is None:
        return now
    if before.mode is not now.mode or before.address != now.address:
        message = f"another route on port {now.port} listens in another mode or at another address"
        report.error(
            "conflicting_keys", message, hint="give both the same `mode` and `listen`, or other ports"
        )
    certificates = (before.tls.certificates if before.tls else ()) + (now.tls.certificates if now.tls else ())
    tls = Tls(certificates=tuple(dict.fromkeys(certificates))) if certificates else None
    timeout = max(before.client_timeout, now.client_timeout)
    return replace(before, tls=tls, client_timeout=timeout, maxconn=max(before.maxconn, now.maxconn))


def _tls(keys: RouteKeys, report: Report) -> Tls | None:
    texts = []
    for index, name in enumerate(keys.certificates):
        path = Path(report.mark("certificates").file).parent / name
        try:
            texts.append(pem(path.read_text(encoding="utf-8"), name))
        except Invalid as invalid:
            report.error("bad_certificate", invalid.message, "certificates", index, hint=invalid.hint)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            report.error("file_unreadable", f"cannot read {name}: {reason}", "certificates", index)
    return Tls(certificates=tuple(texts)) if texts else None


def _describe(member: Member, into: _Gathered) -> None:
    name = member.name
    into.links.setdefault(name, Link(service=name, alias=name))
    check = own_check(member.service, member.report)
    if check is not None:
        into.checks[name] = check
    modes = {keys.mode for keys in member.service.own.route}
    if len(modes) > 1:
        hint = "declare the TCP port as a service of its own"
        message = f"{name} is to carry HTTP and plain TCP"
        member.report.error("mixed_modes", message, "x-bluegreen", "route", hint=hint)
    if "tcp" in modes:
        into.options[name] = PoolOptions(mode=Mode.TCP)
    if member.service.own.balancer is not None:
        into.options[name] = with_keys(into.options.get(name, PoolOptions()), member.service.own.balancer)


def _sibling_route(into: _Gathered, service: str, keys: RouteKeys, port: int) -> RouteSpec | None:
    wanted = (port, keys.host, None if keys.path == "/" else keys.path)
    for route in into.routes:
        if (route.port, route.host, route.path) == wanted and siblings(route.target, service):
            return route
    return None


def _route_name(keys: RouteKeys, service: str, port: int, several: bool) -> str:
    if keys.name:
        return keys.name
    slug = VirtualHost(keys.host, None, keys.path).slug or str(port)
    return f"{service}-{slug}" if several else service


def _merge(base: BalancerSpec, extra: _Gathered) -> BalancerSpec:
    listeners = {listener.port: listener for listener in base.listeners}
    listeners = {**extra.listeners, **listeners}
    links = {**{link.service: link for link in base.links}, **extra.links}
    return replace(
        base,
        listeners=tuple(listeners[port] for port in sorted(listeners)),
        links=tuple(links.values()),
        pool_checks={**base.pool_checks, **extra.checks},
        pool_options={**base.pool_options, **extra.options},
    )


def _unique(routes: list[RouteSpec], members: Mapping[str, Member]) -> tuple[RouteSpec, ...]:
    """Report routes that share a name, or that answer for the same requests."""
    names: dict[str, RouteSpec] = {}
    places: dict[tuple[int, str | None, str | None], RouteSpec] = {}
    for route in routes:
        report = members[route.target].report
        place = (route.port, route.host, route.path)
        if place in places:
            other = places[place]
            message = f"{route.target} and {other.target} answer for the same requests on port {route.port}"
            report.error("route_clash", message, hint="give one of them another host, path or port", key=True)
        if route.name in names:
            message = f"two routes are called {route.name!r}"
            report.error("name_collision", message, hint="set `name` of one x-bluegreen.route", key=True)
        names.setdefault(route.name, route)
        places.setdefault(place, route)
    return tuple(routes)
