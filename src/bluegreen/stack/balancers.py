"""From a balancer service to its :class:`BalancerSpec`, its routes and the checks of its links.

The Docker Cloud way: links, ports and environment variables say everything. Called by
:mod:`loading`; the ``x-bluegreen.route`` way is :mod:`managed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.routing import Mode, PoolOptions
from bluegreen.domain.stack import BalancerSpec, RouteSpec, candidates
from bluegreen.stack.balancer_env import apply
from bluegreen.stack.balancer_env.draft import Draft
from bluegreen.stack.checks import own_check
from bluegreen.stack.listeners import listening
from bluegreen.stack.members import Member
from bluegreen.stack.models.own import BalancerKeys
from bluegreen.stack.models.support import Support
from bluegreen.stack.routes import Linked, routes_of, tcp_services
from bluegreen.stack.services import links_of

_POOL_KEYS = (
    "balance", "cookie", "connect_timeout", "server_timeout", "queue_timeout", "retries", "force_ssl",
    "hsts_max_age", "gzip_types", "keep_last_good",
)  # fmt: skip


@dataclass(slots=True)
class Built:
    """A balancer and what it means for others: ``checks`` and ``ports`` by service name."""

    spec: BalancerSpec
    routes: tuple[RouteSpec, ...] = ()
    checks: dict[str, HealthCheck] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)


def build(member: Member, members: Mapping[str, Member], publish: Mapping[int, int]) -> Built:
    """Return what the balancer service ``member`` stands for."""
    draft = _own_draft(member)
    linked = _linked(member, members, draft)
    draft.certificates = (
        tuple(dict.fromkeys(c for one in linked.values() for c in one.certificates)) or draft.certificates
    )
    for one in linked.values():
        draft.tcp_ports = {**draft.tcp_ports, **one.tcp_ports}
    where = listening(member, draft, publish)
    live = {name: one for name, one in linked.items() if name in member.linked}
    routes = routes_of(member, live, where, frozenset(n for n, m in members.items() if m.driver is None))
    options = {name: one.options for name, one in linked.items() if one.options is not None}
    for name in tcp_services(member.report, routes, where.by_port.values(), draft.mode):
        options[name] = replace(options.get(name, draft.pool), mode=Mode.TCP)
    spec = BalancerSpec(
        name=member.name,
        links=tuple(link for link in links_of(member.service) if link.service in live),
        listeners=tuple(where.by_port.values()),
        check=draft.finished_check(),
        options=draft.pool,
        pool_options=options,
        pool_checks={name: one.check for name, one in linked.items() if one.check is not None},
        settings=where.settings,
        image=member.service.image or "",
        driver=member.driver or "haproxy",
    )
    checks = {name: one.check or draft.finished_check() for name, one in linked.items()}
    ports = {name: one.port for name, one in linked.items() if one.port is not None}
    return Built(spec, routes, checks, ports)


_USED = frozenset(
    {
        "image",
        "links",
        "ports",
        "environment",
        "env_file",
        "volumes",
        "restart",
        "deployment_strategy",
        "x_bluegreen",
    }
)
"""What a balancer's service says that has a meaning, or loses none: the balancer always restarts."""


def _report_unused(member: Member) -> None:
    """Say which keys have no effect because the image is not run; others have said so themselves."""
    fields = type(member.service).model_fields
    for name in sorted(member.service.model_fields_set - _USED):
        extra = fields[name].json_schema_extra
        if isinstance(extra, dict) and extra["x-support"] == Support.SUPPORTED.value:
            message = (
                f"`{name}` has no effect on a balancer: bluegreen provides it and does not run the image"
            )
            member.report.info("balancer_key_ignored", message, fields[name].alias or name, key=True)
    if member.service.own.route:
        message = "a balancer has no route of its own: give it links and ports"
        member.report.warn("ignored_key", message, "x-bluegreen", "route", key=True)


def _own_draft(member: Member) -> Draft:
    _report_unused(member)
    mounts = {
        volume.target: volume.source
        for volume in member.service.volumes
        if volume.source is not None and volume.is_path
    }
    draft = apply.read_balancer(member.environment, member.report, mounts)
    if member.environment.get("HTTP_CHECK", "").strip() and draft.check.kind is CheckKind.HTTP:
        message = (
            "HTTP_CHECK here becomes the check of every linked service; the old balancer ignored it here"
        )
        member.report.info("http_check_default", message, "environment", "HTTP_CHECK", key=True)
    keys = member.service.own.balancer
    if keys is not None:
        draft.pool = with_keys(draft.pool, keys)
        draft.client_timeout = keys.client_timeout or draft.client_timeout
        draft.maxconn = keys.maxconn or draft.maxconn
        draft.settings = replace(draft.settings, maxconn=draft.maxconn)
    check = own_check(member.service, member.report)
    if check is not None:
        draft.check, draft.check_timeout = check, check.timeout
    if member.driver == "nginx" and draft.pool.server_options:
        member.report.warn(
            "setting_ignored", "options of a server are HAProxy's; NGINX ignores them", "environment"
        )
    return draft


def with_keys(options: PoolOptions, keys: BalancerKeys) -> PoolOptions:
    """Return ``options`` as changed by ``x-bluegreen.balancer``."""
    changes: dict[str, Any] = {
        name: getattr(keys, name) for name in _POOL_KEYS if getattr(keys, name) is not None
    }
    if keys.passive_errors is not None:
        changes["passive_errors"] = keys.passive_errors or None
    changes["options"] = (*options.options, *keys.options)
    changes["extra"] = (*options.extra, *keys.extra)
    return replace(options, **changes)


def _linked(member: Member, members: Mapping[str, Member], draft: Draft) -> dict[str, Linked]:
    """Read what each linked service and its color sibling say about how they are balanced."""
    ordinary = frozenset(name for name, other in members.items() if other.driver is None)
    present = tuple(name for name in member.linked if name in ordinary)
    return {name: _read_linked(members[name], draft) for name in candidates(present, ordinary)}


def _read_linked(member: Member, base: Draft) -> Linked:
    draft, used = apply.read_service(base, member.environment, member.report)
    keys = member.service.own.balancer
    if keys is not None:
        draft.pool = with_keys(draft.pool, keys)
    check = own_check(member.service, member.report)
    if check is None and used & {"HTTP_CHECK", "HEALTH_CHECK"}:
        check = draft.finished_check()
    return Linked(
        name=member.name,
        options=draft.pool if draft.pool != base.pool else None,
        check=check,
        certificates=draft.certificates,
        tcp_ports=draft.tcp_ports,
        own_tcp_ports=frozenset(draft.tcp_ports) - frozenset(base.tcp_ports),
        virtual_hosts=draft.virtual_hosts,
        priority=draft.host_priority,
        port=_traffic_port(member, draft, base),
    )


def _traffic_port(member: Member, draft: Draft, base: Draft) -> int | None:
    """Return the port left after ``EXCLUDE_PORTS``, or the only one of its own ``TCP_PORTS``."""
    if member.service.own.port is not None:
        return None
    exposed = [port.container for group in member.service.expose for port in group if port.protocol == "tcp"]
    left = [port for port in exposed if port not in draft.excluded_ports]
    if draft.excluded_ports and left:
        return left[0]
    own = [port for port in draft.tcp_ports if port not in base.tcp_ports]
    return own[0] if len(own) == 1 and not exposed else None
