"""Which routes a balancer's links, ports and virtual hosts make.

The rule: one route per listener and virtual host, and one service per route has the traffic: the
first one linked. Two colors of a service under one virtual host are one route.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.routing import Listener, Mode, PoolOptions
from bluegreen.domain.stack import RouteSpec, candidates
from bluegreen.stack.listeners import Listening
from bluegreen.stack.members import Member, siblings
from bluegreen.stack.tree import Report
from bluegreen.stack.virtual_hosts import ANY, VirtualHost


@dataclass(frozen=True, slots=True)
class Linked:
    """What a linked service says for itself. ``options`` and ``check`` are ``None`` when it is silent."""

    name: str
    options: PoolOptions | None
    check: HealthCheck | None
    certificates: tuple[str, ...]
    tcp_ports: Mapping[int, bool]
    own_tcp_ports: frozenset[int]
    virtual_hosts: tuple[VirtualHost, ...]
    priority: int
    port: int | None


@dataclass(frozen=True, slots=True)
class _Group:
    """The services that answer for one virtual host, in the order of their links."""

    host: VirtualHost
    services: tuple[str, ...]
    priority: int


def routes_of(
    member: Member, linked: Mapping[str, Linked], where: Listening, services: frozenset[str]
) -> tuple[RouteSpec, ...]:
    """Return the balancer's routes; a balancer that could carry nothing is reported."""
    if not where.routed and not where.settings.stats and not member.report.has_errors("ports"):
        hint = 'add for example ports: ["80:80"]'
        member.report.error(
            "no_listener", f"{member.name} listens nowhere: it publishes no usable port", hint=hint, key=True
        )
    if not linked:
        if not member.linked and not member.report.has_errors("links"):
            message = f"{member.name} is linked to no service: its ports answer 503"
            member.report.warn("no_links", message, hint="add `links:` with the live service", key=True)
        return ()
    groups = _groups(linked)
    _report_shared(member, groups)
    planned = [pair for group in groups for pair in _on_listeners(member, group, where)]
    planned += _tcp_routes(linked, where)
    return _named(member.name, planned, where, services)


def tcp_services(
    report: Report, routes: Iterable[RouteSpec], listeners: Iterable[Listener], default: Mode
) -> tuple[str, ...]:
    """Return the services whose pools must speak TCP though ``default`` is HTTP.

    A pool speaks one of the two: a service with routes of both kinds is reported.
    """
    modes = {listener.port: listener.mode for listener in listeners}
    spoken: dict[str, set[Mode]] = {}
    for route in routes:
        for name in route.candidates:
            spoken.setdefault(name, set()).add(modes[route.port])
    for name, found in spoken.items():
        if len(found) > 1:
            hint = "declare the TCP port as a service of its own"
            report.error("mixed_modes", f"{name} is to carry HTTP and plain TCP", hint=hint, key=True)
    return tuple(name for name, found in spoken.items() if found == {Mode.TCP} and default is not Mode.TCP)


def _groups(linked: Mapping[str, Linked]) -> list[_Group]:
    by_host: dict[VirtualHost, list[Linked]] = {}
    only_tcp = {one.name for one in linked.values() if one.own_tcp_ports and not one.virtual_hosts}
    for one in linked.values():
        if one.name in only_tcp and len(only_tcp) < len(linked):
            continue
        for host in one.virtual_hosts or (ANY,):
            by_host.setdefault(host, []).append(one)
    return [
        _Group(host, tuple(one.name for one in ones), max(one.priority for one in ones))
        for host, ones in by_host.items()
    ]


def _report_shared(member: Member, groups: list[_Group]) -> None:
    for group in groups:
        first, *others = group.services
        strangers = [name for name in others if not siblings(first, name)]
        what = group.host.slug or "the same requests"
        if strangers:
            message = (
                f"{first} and {', '.join(strangers)} are both linked for {what}: one service per route "
                f"has the traffic, so {first} (the first) is live; the old balancer would have mixed them"
            )
            hint = "give each service its own VIRTUAL_HOST, or link one of them"
            member.report.warn("shared_route", message, "links", hint=hint)
        elif others:
            message = f"{first} is live because it is linked first; {others[0]} is its other color"
            member.report.info("two_colors_linked", message, "links")


def _on_listeners(member: Member, group: _Group, where: Listening) -> list[tuple[int, _Group]]:
    ports = [port for port in where.routed if where.by_port[port].mode is Mode.HTTP or not _has_http(where)]
    if not _has_http(where):
        ports = [port for port in ports if group.host is ANY]
    if group.host.port is None:
        return [(port, group) for port in ports]
    if group.host.port in ports:
        return [(group.host.port, group)]
    message = f"VIRTUAL_HOST asks for port {group.host.port}, on which {member.name} does not listen"
    hint = f'add "{group.host.port}:{group.host.port}" to the ports of {member.name}'
    member.report.error("no_listener", message, "ports", hint=hint)
    return []


def _has_http(where: Listening) -> bool:
    return any(where.by_port[port].mode is Mode.HTTP for port in where.routed)


def _tcp_routes(linked: Mapping[str, Linked], where: Listening) -> list[tuple[int, _Group]]:
    if not _has_http(where):
        return []
    tcp = [port for port in where.routed if where.by_port[port].mode is Mode.TCP]
    planned = []
    for port in tcp:
        owners = [one.name for one in linked.values() if port in one.own_tcp_ports] or list(linked)[:1]
        planned.append((port, _Group(ANY, tuple(owners), 0)))
    return planned


def _named(
    balancer: str, planned: list[tuple[int, _Group]], where: Listening, services: frozenset[str]
) -> tuple[RouteSpec, ...]:
    names = _names(balancer, planned)
    return tuple(
        RouteSpec(
            name=name,
            balancer=balancer,
            port=where.by_port[port].port,
            target=group.services[0],
            candidates=candidates(group.services, services),
            host=group.host.host,
            path=group.host.path,
            priority=group.priority,
        )
        for name, (port, group) in zip(names, planned, strict=True)
    )


def _names(balancer: str, planned: list[tuple[int, _Group]]) -> list[str]:
    """Name routes by what tells them apart: nothing, the host and path, the port, or both."""
    if len(planned) == 1:
        return [balancer]
    slugs = [group.host.slug or str(port) for port, group in planned]
    names = []
    for (port, group), slug in zip(planned, slugs, strict=True):
        ambiguous = group.host.slug and slugs.count(slug) > 1
        name = f"{balancer}-{slug}-{port}" if ambiguous else f"{balancer}-{slug}"
        while name in names:
            name += "-2"
        names.append(name)
    return names
