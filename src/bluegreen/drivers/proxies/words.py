"""Words that mean the same in the configuration of every proxy."""

from __future__ import annotations

import ipaddress
import re

from bluegreen.domain.errors import Permanent

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")


def refused(message: str, hint: str, *evidence: tuple[str, str]) -> Permanent:
    """Return the error for a routing that the proxy cannot or will not carry out."""
    return Permanent(message, code="balancer_refused", hint=hint, evidence=evidence)


def name(text: str) -> str:
    """Return ``text`` if it can name a pool, a server or a route; refuse it otherwise."""
    if not _NAME.fullmatch(text):
        raise refused(
            f"{text!r} cannot be a name in the balancer",
            "Use letters, digits, dots, dashes and underscores only.",
        )
    return text


def endpoint(host: str, port: int) -> str:
    """Return ``host:port`` of a server; ``host`` must be an IP address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise refused(f"{host!r} is not an IP address", "Resolve names before routing to them.") from None
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
