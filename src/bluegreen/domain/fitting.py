"""Fits a routing that was published elsewhere to the box that carries it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bluegreen.domain.routing import Routing


def fitted(routing: Routing, ports: Mapping[int, int], certificates: tuple[str, ...]) -> Routing:
    """Return ``routing`` on other ports, and with this box's own certificates (PEM texts).

    Keys stay private to a box: a listener that speaks TLS has none until it is given here, and is left out
    without.
    """
    listeners = {}
    for port, listener in routing.listeners.items():
        tls = listener.tls
        if tls is not None and not certificates:
            continue
        here = ports.get(port, port)
        own = None if tls is None else replace(tls, certificates=certificates)
        listeners[here] = replace(listener, port=here, tls=own)
    routes = {
        key: replace(route, port=ports.get(route.port, route.port))
        for key, route in routing.routes.items()
        if ports.get(route.port, route.port) in listeners
    }
    return replace(routing, listeners=listeners, routes=routes)
