"""Renders plain TCP: one ``server`` per listener, within ``stream``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bluegreen.domain.naming import RouteId
from bluegreen.domain.routing import Listener, Route
from bluegreen.drivers.balancers.nginx.servers import certificate, listen
from bluegreen.drivers.balancers.nginx.shares import Share
from bluegreen.drivers.balancers.nginx.words import Shelf, block
from bluegreen.drivers.proxies.words import milliseconds


def render_stream(
    listener: Listener, routes: Sequence[Route], shares: Mapping[RouteId, Share], shelf: Shelf
) -> list[str]:
    """Return the server of a TCP listener. Where nobody has the traffic, connections are closed at once."""
    share = next((shares[route.id] for route in reversed(routes)), Share(None))
    return list(block("server", _lines(listener, share, shelf)))


def _lines(listener: Listener, share: Share, shelf: Shelf) -> Iterator[str]:
    yield listen(listener, *(["ssl"] if listener.tls else []))
    if listener.tls is not None:
        yield from certificate(listener.tls, "", shelf)
    if share.target is None:
        yield 'return "";'
        return
    options = share.pools[0].options
    yield f"proxy_connect_timeout {milliseconds(options.connect_timeout)};"
    yield f"proxy_timeout {milliseconds(max(options.server_timeout, listener.client_timeout))};"
    yield f"proxy_next_upstream_tries {options.retries + 1};"
    yield f"proxy_pass {share.target};"
