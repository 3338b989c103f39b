"""``VIRTUAL_HOST``: which hosts, paths and ports a service answers for.

The syntax of Docker Cloud's balancer: ``[scheme://]host[:port][/path]``, separated by commas.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bluegreen.stack.problems import Invalid
from bluegreen.stack.scalars import parse_port_number, split_list
from bluegreen.stack.values import parse_host

_FORM = re.compile(r"(?:(?P<scheme>[a-z]+)://)?(?P<host>[^:/]*)(?::(?P<port>[^/]*))?(?P<path>/.*)?", re.I)
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """``None`` stands for any. ``port`` is the balancer's container port."""

    host: str | None = None
    port: int | None = None
    path: str | None = None

    @property
    def slug(self) -> str:
        """A name made of host and path, for a route's name."""
        text = f"{self.host or ''}{self.path or ''}".replace("*", "any")
        return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


ANY = VirtualHost()


def parse_virtual_hosts(text: str) -> tuple[VirtualHost, ...]:
    """Return what ``text`` answers for, in order. Raises :class:`Invalid`."""
    return tuple(dict.fromkeys(_parse(item) for item in split_list(text)))


def _parse(text: str) -> VirtualHost:
    match = _FORM.fullmatch(text)
    if match is None:
        raise Invalid(f"{text!r} is not a virtual host", "write [http://]host[:port][/path]")
    scheme = (match["scheme"] or "").lower()
    if scheme and scheme not in _PORTS:
        raise Invalid(f"{text!r}: unknown scheme {scheme!r}", "Allowed: http, https, ws, wss")
    port = parse_port_number(match["port"]) if match["port"] else _PORTS.get(scheme)
    host = None if match["host"] in ("", "*") else parse_host(match["host"])
    return VirtualHost(host, port, _path(match["path"], text))


def _path(path: str | None, text: str) -> str | None:
    prefix = (path or "").rstrip("*")
    if "*" in prefix:
        raise Invalid(f"{text!r}: a path is matched from its beginning", "put * at the end of the path only")
    return None if prefix in ("", "/") else prefix
