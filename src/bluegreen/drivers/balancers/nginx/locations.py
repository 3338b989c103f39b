"""Renders what happens to the requests of one route at one path: passed on, answered, or sent elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from bluegreen.domain.routing import Listener, Maintenance, Pool, PoolOptions
from bluegreen.drivers.balancers.nginx.matching import Place
from bluegreen.drivers.balancers.nginx.shares import Share
from bluegreen.drivers.balancers.nginx.words import Shelf, block, plain, quoted
from bluegreen.drivers.proxies.words import milliseconds, name, refused

PAGES = "/.bluegreen/"
"""Where the pages of maintenance are within a server: reached by NGINX itself only."""

NO_ROUTE = 'return 503 "nothing is routed here\\n";'
_DEFAULT_PAGE = "<!doctype html>\n<title>Maintenance</title>\n<p>This service is under maintenance.\n"


@dataclass(frozen=True, slots=True)
class Here:
    """What the locations of one server have in common: where they are, and what they may add to."""

    listener: Listener
    shelf: Shelf
    raw: bool
    keepalive: float
    common: tuple[str, ...] = ()
    """Lines that every server begins with."""


def render_place(place: Place, share: Share, here: Here) -> list[str]:
    """Return the ``location`` of ``place``, whose route has ``share``."""
    how = "= " if place.exact else ""
    return list(block(f"location {how}{quoted(place.path)}", [*share.raw, *_inside(place, share, here)]))


def health_place(path: str) -> list[str]:
    """Return the location that tells balancers in front that this one is well, during maintenance."""
    return list(block(f"location = {quoted(path)}", ['return 200 "ok\\n";']))


def page_place(maintenance: Maintenance, shelf: Shelf) -> list[str]:
    """Return the location of the page of ``maintenance``. A file: a page may hold what NGINX would expand."""
    file = _page(maintenance, shelf)

    def lines() -> Iterator[str]:
        yield "internal;"
        yield "auth_basic off;"
        yield "default_type text/html;"
        yield f'add_header Retry-After "{maintenance.retry_after}" always;'
        yield f"alias {file};"

    return list(block(f'location = "{_within(file)}"', lines()))


def _page(maintenance: Maintenance, shelf: Shelf) -> str:
    return shelf.store("page", maintenance.page or _DEFAULT_PAGE, "html")


def _within(file: str) -> str:
    return f"{PAGES}{PurePath(file).name}"


def _inside(place: Place, share: Share, here: Here) -> Iterator[str]:
    route = place.route
    if route is None:
        yield NO_ROUTE
    elif route.maintenance is not None:
        yield f'error_page 503 "{_within(_page(route.maintenance, here.shelf))}";'
        yield "return 503;"
    elif share.target is None:
        yield 'add_header Retry-After "1" always;'
        yield f'return 503 "no release of {name(route.id)} has the traffic yet\\n";'
    elif share.pools[0].options.force_ssl and here.listener.tls is None:
        yield "return 301 https://$host$request_uri;"
    else:
        yield from _passing(share.pools, here)
        yield f"proxy_pass http://{share.target};"


def _passing(pools: tuple[Pool, ...], here: Here) -> Iterator[str]:
    """Yield how requests are passed on; of two pools it is the larger one that says so."""
    options = pools[0].options
    yield f"proxy_connect_timeout {milliseconds(options.connect_timeout)};"
    yield f"proxy_read_timeout {milliseconds(options.server_timeout)};"
    yield f"proxy_send_timeout {milliseconds(options.server_timeout)};"
    yield f"proxy_next_upstream_tries {options.retries + 1};"
    yield from _answers(options, here)


def _answers(options: PoolOptions, here: Here) -> Iterator[str]:
    if options.gzip_types is not None:
        types = [plain(kind) for kind in options.gzip_types.split() if kind != "text/html"]
        yield "gzip on;"
        yield "gzip_proxied any;"
        yield "gzip_vary on;"
        if types:
            yield f"gzip_types {' '.join(types)};"
    if options.hsts_max_age is not None and here.listener.tls is not None:
        if not options.hsts_max_age.strip().isdigit():
            raise refused(f"{options.hsts_max_age!r} is no age in seconds", "Give a whole number.")
        yield "proxy_hide_header Strict-Transport-Security;"
        age = options.hsts_max_age.strip()
        yield f'add_header Strict-Transport-Security "max-age={age}; includeSubDomains" always;'
