"""Renders a route in maintenance: a page for everybody, and a health path for balancers in front.

The rules stand in the listener, between the choice of the route and that of its pool, and only while they are
wanted: a route that is not in maintenance costs nothing. The weights stay in the map and may change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from html import escape

from bluegreen.domain.routing import Maintenance, Route
from bluegreen.drivers.balancers.haproxy.words import quoted
from bluegreen.drivers.proxies.words import name, refused

LARGEST_PAGE = 12_000
"""Bytes: HAProxy answers from one buffer of 16 kB, which holds the headers as well."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Back soon</title>
<style>
:root {{ color-scheme: light dark }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center }}
main {{ font: 1.1rem/1.5 system-ui, sans-serif }}
main {{ max-width: 34rem; padding: 2rem }}
</style>
</head>
<body>
<main>
<h1>Back soon</h1>
<p>This service is being worked on. Please try again in a while.</p>
{why}</main>
</body>
</html>
"""


def page_of(maintenance: Maintenance) -> str:
    """Return the page that users see: the one that was given, else ours with the reason."""
    why = f"<p>{escape(maintenance.why)}</p>\n" if maintenance.why else ""
    return maintenance.page or _PAGE.format(why=why)


def render_maintenance(routes: Iterable[Route], files: dict[str, str]) -> Iterator[str]:
    """Yield the rules of those ``routes`` that are in maintenance; put their pages into ``files``."""
    for route in routes:
        if route.maintenance is not None:
            yield from _rules(route, route.maintenance, files)


def _rules(route: Route, maintenance: Maintenance, files: dict[str, str]) -> Iterator[str]:
    here = f"{{ var(txn.route) -m str {name(route.id)} }}"
    if maintenance.health_path is not None:
        asked = f"{{ path -m str {quoted(maintenance.health_path)} }}"
        yield f'http-request return status 200 content-type text/plain string "ok\\n" if {here} {asked}'
    page = page_of(maintenance)
    if len(page.encode()) > LARGEST_PAGE:
        raise refused(
            f"the maintenance page of route {route.id} has {len(page.encode())} bytes",
            f"Keep it under {LARGEST_PAGE} bytes; leave images and fonts out.",
        )
    file = f"page-{hashlib.sha256(page.encode()).hexdigest()[:12]}.html"
    files[file] = page
    kind = 'content-type "text/html; charset=utf-8"'
    headers = f"hdr Retry-After {maintenance.retry_after:.0f} hdr Cache-Control no-store"
    yield f"http-request return status 503 {kind} {headers} file {file} if {here}"
