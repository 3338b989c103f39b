"""The ports of a balancer as listeners.

``ports`` of a balancer read ``host:container``: the container's port decides what is spoken (80
HTTP, 443 TLS, ``TCP_PORTS`` bytes), the host's is where bluegreen listens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bluegreen.domain.routing import Globals, Listener, Mode, Stats, Tls
from bluegreen.domain.spec import PortMapping
from bluegreen.stack.balancer_env.draft import STATS_PORT, Draft
from bluegreen.stack.members import Member

TLS_PORT = 443


@dataclass(frozen=True, slots=True)
class Listening:
    """``by_port`` maps the balancer's container port to its listener; ``routed`` are those that
    carry routes (a port that only answers the monitoring page does not)."""

    by_port: Mapping[int, Listener]
    routed: tuple[int, ...]
    settings: Globals


def listening(member: Member, draft: Draft, publish: Mapping[int, int]) -> Listening:
    """Return where the balancer ``member`` listens, its statistics page included."""
    listeners: dict[int, Listener] = {}
    settings = draft.settings
    stats_port = draft.stats_port or STATS_PORT
    for index, group in enumerate(member.service.ports):
        for port in group:
            host = _host_port(member, port, index, publish)
            if port.protocol != "tcp":
                hint = "publish the UDP port on the service itself"
                member.report.error("bad_value", "a balancer carries TCP only", "ports", index, hint=hint)
            elif port.container == stats_port and port.container not in draft.tcp_ports:
                settings = _published_stats(member, draft, replace(port, host=host), settings, index)
            elif (listener := _listener(member, draft, port, host, index)) is not None:
                listeners[port.container] = listener
    if not settings.stats and (draft.stats_port or draft.stats_auth):
        settings = _with_stats(settings, draft, publish.get(stats_port, stats_port), "127.0.0.1")
    return _finish(member, draft, listeners, settings, publish)


def _host_port(member: Member, port: PortMapping, index: int, publish: Mapping[int, int]) -> int:
    if port.host is None:
        message = f"no host port is given; bluegreen listens on {port.container}"
        member.report.warn(
            "host_port_assumed", message, "ports", index, hint=f'write "{port.container}:{port.container}"'
        )
    host = port.container if port.host is None else port.host
    return publish.get(host, host)


def _listener(member: Member, draft: Draft, port: PortMapping, host: int, index: int) -> Listener | None:
    number = port.container
    is_tcp = number in draft.tcp_ports or draft.mode is Mode.TCP
    wants_tls = draft.tcp_ports.get(number, number == TLS_PORT and not is_tcp)
    if wants_tls and not draft.certificates:
        hint = "set SSL_CERT or CERT_FOLDER on the balancer, or TCP_PORTS: 443 to pass TLS through"
        member.report.warn(
            "no_certificate", f"port {number} needs a certificate; it is left out", "ports", index, hint=hint
        )
        return None
    listener = Listener(
        port=host,
        address=port.address,
        mode=Mode.TCP if is_tcp else Mode.HTTP,
        tls=Tls(certificates=draft.certificates, client_ca=draft.client_ca) if wants_tls else None,
        client_timeout=draft.client_timeout,
        maxconn=draft.maxconn,
        extra=draft.raw_frontends.get(number, ()),
        bind_options=draft.raw_binds.get(number, ()),
    )
    if is_tcp:
        return listener
    extra = (*draft.listener_extra, *listener.extra)
    return replace(listener, options=draft.listener_options, basic_auth=draft.basic_auth, extra=extra)


def _published_stats(
    member: Member, draft: Draft, port: PortMapping, settings: Globals, index: int
) -> Globals:
    if draft.stats_auth is None:
        message = "the statistics page is published with the well-known account stats:stats"
        member.report.warn(
            "default_password", message, "ports", index, hint="set STATS_AUTH to user:password"
        )
    return _with_stats(settings, draft, port.host or port.container, port.address)


def _with_stats(settings: Globals, draft: Draft, port: int, address: str) -> Globals:
    user, password = draft.stats_auth or ("stats", "stats")
    page = Stats(port=port, address=address, user=user, password=password)
    return replace(settings, stats=(*settings.stats, page))


def _finish(
    member: Member,
    draft: Draft,
    listeners: dict[int, Listener],
    settings: Globals,
    publish: Mapping[int, int],
) -> Listening:
    routed = [number for number in listeners]
    monitor = draft.monitor_port
    if monitor is not None and draft.monitor_path is not None:
        line = f"monitor-uri {draft.monitor_path}"
        if monitor not in listeners:
            port = publish.get(monitor, monitor)
            listeners[monitor] = Listener(port=port, address="127.0.0.1", extra=(line,))
        else:
            before = listeners[monitor]
            listeners[monitor] = replace(before, extra=(*before.extra, line))
            if monitor not in (80, TLS_PORT) and len(routed) > 1:
                routed.remove(monitor)
    for kind, ports in (
        ("EXTRA_BIND_SETTINGS", draft.raw_binds),
        ("EXTRA_FRONTEND_SETTINGS", draft.raw_frontends),
    ):
        for number in sorted(set(ports) - set(listeners)):
            message = f"{kind} speaks of port {number}, on which the balancer does not listen"
            member.report.warn(
                "setting_ignored", message, "environment", hint=f'add "{number}:{number}" to ports'
            )
    return Listening(listeners, tuple(routed), settings)
