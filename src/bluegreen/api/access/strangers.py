"""Refuses what a page of somebody else's has a browser send here.

A browser with a tunnel to the socket, or on the controller's own machine, reaches what its pages' authors do
not. It says where a request comes from by headers that no page can forge (Fetch Metadata; RFC 6454). Programs
send none of them, and no name of somebody else's: nothing changes for them.
"""

from __future__ import annotations

from ipaddress import ip_address

from fastapi import Request

from bluegreen.api.access.entrance import SOCKET, entrance
from bluegreen.domain.errors import UserError

_READS = frozenset({"GET", "HEAD", "OPTIONS"})

_USUAL = {"http": ":80", "https": ":443"}


def refuse(request: Request) -> None:
    """Raises ``UserError`` (``foreign_name``, ``foreign_page``)."""
    _refuse_name(request)
    if request.method not in _READS and request.url.path.startswith("/v1/"):
        _refuse_page(request)


def _refuse_name(request: Request) -> None:
    """A name of theirs that leads here would make a page of theirs one of ours (DNS rebinding).

    Where TLS names the controller, or a token comes along that no page of theirs has, no name can harm.
    """
    host = request.url.hostname or ""
    if not _is_near(request) or "." not in host.strip(".") or _is_loopback(host):
        return
    raise UserError(
        f"{host[:100]} is not a name of this machine",
        code="foreign_name",
        hint="Use localhost in the address, or have the controller listen by TLS.",
    )


def _refuse_page(request: Request) -> None:
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "none")
    if site != "cross-site" and (origin is None or _place(origin) == _place(_own(request))):
        return
    raise UserError(
        f"a page of {origin or 'another site'} may change nothing here"[:200],
        code="foreign_page",
        evidence=(("origin", origin or "not said"), ("address", request.url.netloc)),
        hint="Use the dashboard of this controller; a program sends neither Origin nor Sec-Fetch-Site.",
    )


def _own(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


def _is_near(request: Request) -> bool:
    """Whether it came in where being on this machine, or a tunnel to it, is half of what lets one in."""
    if entrance(request.scope) == SOCKET:
        return True
    server = request.scope.get("server") or ("", 0)
    return (
        request.url.scheme == "http"
        and _is_loopback(str(server[0]))
        and "authorization" not in request.headers
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.endswith(".localhost")


def _place(address: str) -> str:
    """Return ``host:port`` of an address, without a port that its scheme implies; empty of what is none."""
    scheme, _, rest = address.lower().partition("://")
    return rest.removesuffix(_USUAL.get(scheme, ""))
