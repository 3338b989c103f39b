"""How words get into HAProxy's configuration language without changing its meaning.

Used by everything that renders. Rule: what comes from a user's file is either checked against a
narrow pattern or quoted; only lines documented as raw are passed through.
"""

from __future__ import annotations

import ipaddress
import re

from bluegreen.domain.errors import Permanent

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")


def refused(message: str, hint: str, *evidence: tuple[str, str]) -> Permanent:
    """Return the error for a routing that HAProxy cannot or will not carry out."""
    return Permanent(message, code="balancer_refused", hint=hint, evidence=evidence)


def name(text: str) -> str:
    """Return ``text`` if it can name a backend, a server or a route; refuse it otherwise."""
    if not _NAME.fullmatch(text):
        raise refused(
            f"{text!r} cannot be a name in the balancer",
            "Use letters, digits, dots, dashes and underscores only.",
        )
    return text


def quoted(text: str) -> str:
    """Return ``text`` as one word in HAProxy's strong quotes."""
    if any(ord(character) < 32 for character in text):
        raise refused(f"{text!r} holds a control character", "Write it on one line.")
    return "'" + text.replace("'", "'\\''") + "'"


def formatted(text: str) -> str:
    """Return ``text`` quoted, for a place where HAProxy expands ``%``."""
    return quoted(text.replace("%", "%%"))


def endpoint(host: str, port: int) -> str:
    """Return ``host:port`` of a server; ``host`` must be an IP address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise refused(f"{host!r} is not an IP address", "Resolve names before routing to them.") from None
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
