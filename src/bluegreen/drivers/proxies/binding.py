"""Says before a reload whether a new port can be had, and by whom it is taken: the proxy might only log it.

Called by a driver when listeners change. Rule: that the proxy itself holds a port is fine.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection, Iterable

import psutil

from bluegreen.domain.errors import BluegreenError, UserError
from bluegreen.domain.routing import Routing

Endpoint = tuple[str, int]


def endpoints(routing: Routing) -> frozenset[Endpoint]:
    """Return every address and port that a proxy binds for ``routing``."""
    listeners = ((listener.address, listener.port) for listener in routing.listeners.values())
    pages = ((page.address, page.port) for page in routing.settings.stats)
    return frozenset((*listeners, *pages))


def require_free(wanted: Iterable[Endpoint], own: Collection[int]) -> None:
    """Raise ``port_taken`` or ``port_forbidden`` unless all can be bound; ``own`` are our processes."""
    for address, port in sorted(wanted):
        error = _bind_error(address, port)
        if error is None:
            continue
        if error.errno == errno.EADDRINUSE and _holders(port) & set(own):
            continue
        raise _refusal(address, port, error)


def _bind_error(address: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            return error
    return None


def _holders(port: int) -> set[int]:
    return {
        connection.pid
        for connection in psutil.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
        and connection.laddr
        and connection.laddr.port == port
        and connection.pid
    }


def _refusal(address: str, port: int, error: OSError) -> BluegreenError:
    if error.errno == errno.EACCES:
        return UserError(
            f"port {port} may not be used without more rights",
            code="port_forbidden",
            hint=f"Use another host port (`--publish {port}={_elsewhere(port)}`), or let the controller's"
            f" user bind low ports (`sysctl net.ipv4.ip_unprivileged_port_start={port}`).",
            evidence=(("system", str(error)),),
        )
    if error.errno == errno.EADDRINUSE:
        holder = ", ".join(sorted(_describe(pid) for pid in _holders(port))) or "a process of another user"
        return UserError(
            f"port {port} is taken by {holder}",
            code="port_taken",
            hint=f"Stop it, or use another host port (`--publish {port}={_elsewhere(port)}`).",
            evidence=(("system", str(error)), ("listening", holder)),
        )
    return UserError(
        f"address {address or '*'}:{port} cannot be bound",
        code="port_forbidden",
        hint="Use an address of this machine.",
        evidence=(("system", str(error)),),
    )


def _elsewhere(port: int) -> int:
    """Return a port to suggest instead, that needs no rights: 80 becomes 8080."""
    return port + 8000 if port + 8000 < 65536 else port - 8000


def _describe(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"
