"""Structured values in one line of text: ports, volumes, links, checks, shares, hosts.

The grammars of both dialects; where one is a superset of the other, the superset is read. Used by
:mod:`fields`. Each function raises :class:`Invalid`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.spec import PortMapping
from bluegreen.stack.problems import Invalid
from bluegreen.stack.scalars import parse_int, parse_port_number, parse_words

_LINK = re.compile(r"(?P<service>[\w-]+)(?:\.(?P<stack>[\w-]+))?(?::(?P<alias>[\w.-]+))?")
_PORT_HINT = 'write "80" (container), "8080:80" (host:container) or "53:53/udp"'
_CHECK_HINT = "write for example OPTIONS /ping, /ping, tcp, exec COMMAND or none"
_METHOD = re.compile(r"[A-Z]{3,10}")
MAX_RANGE = 1000


@dataclass(frozen=True, slots=True)
class LinkText:
    """``service[.stack][:alias]``; the alias defaults to the service's name."""

    service: str
    alias: str
    stack: str | None = None


@dataclass(frozen=True, slots=True)
class VolumeText:
    """``[source:]target[:mode]``, source as written (host path or name); no source: a fresh volume."""

    target: str
    source: str | None = None
    read_only: bool = False

    @property
    def is_path(self) -> bool:
        return self.source is not None and self.source.startswith(("/", ".", "~"))


def parse_link(text: str) -> LinkText:
    match = _LINK.fullmatch(text.strip())
    if match is None:
        raise Invalid(f"{text!r} is not a link", "write `service` or `service:alias`")
    return LinkText(match["service"], match["alias"] or match["service"], match["stack"])


def parse_ports(text: str) -> tuple[PortMapping, ...]:
    """``[[ip:]host:]container[/protocol]``, either side possibly a range of equal length."""
    body, _, protocol = text.strip().partition("/")
    if protocol not in ("", "tcp", "udp"):
        raise Invalid(f"{text!r}: unknown protocol {protocol!r}", "Allowed: tcp, udp")
    address, host, container = _port_parts(body, text)
    containers = _port_range(container, text)
    hosts = _port_range(host, text) if host else [None] * len(containers)
    if len(hosts) != len(containers):
        raise Invalid(f"{text!r}: the two port ranges differ in length", _PORT_HINT)
    return tuple(
        PortMapping(container=inner, host=outer, protocol=protocol or "tcp", address=address)
        for inner, outer in zip(containers, hosts, strict=True)
    )


def _port_parts(body: str, text: str) -> tuple[str, str, str]:
    address = ""
    if body.startswith("["):
        address, _, body = body[1:].partition("]:")
    parts = body.split(":")
    if len(parts) == 3 and not address:
        address, parts = parts[0], parts[1:]
    if len(parts) > 2:
        raise Invalid(f"{text!r} is not a port", _PORT_HINT)
    if address:
        check_address(address)
    return address, parts[0] if len(parts) == 2 else "", parts[-1]


def check_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise Invalid(f"{text!r} is not an IP address", "write for example 127.0.0.1") from None


def _port_range(text: str, whole: str) -> list[int]:
    first, dash, last = text.partition("-")
    try:
        start = parse_port_number(first)
        end = parse_port_number(last) if dash else start
    except Invalid as invalid:
        message = f"{whole!r} is not a port" if whole == text else f"{whole!r}: {invalid.message}"
        raise Invalid(message, _PORT_HINT) from None
    if not start <= end < start + MAX_RANGE:
        raise Invalid(f"{whole!r}: the range is empty or longer than {MAX_RANGE}", _PORT_HINT)
    return list(range(start, end + 1))


def parse_expose(text: str) -> tuple[PortMapping, ...]:
    """``80``, ``90/udp`` or ``8000-8010``."""
    if ":" in text:
        raise Invalid(f"{text!r} publishes a port", "expose takes container ports only; use `ports`")
    return parse_ports(text)


def parse_volume(text: str) -> VolumeText:
    parts = text.strip().split(":")
    mode = parts.pop() if len(parts) > 1 and not parts[-1].startswith("/") else ""
    modes = mode.split(",") if mode else []
    unknown = [m for m in modes if m not in ("ro", "rw", "z", "Z", "cached", "delegated", "nocopy")]
    if unknown or len(parts) > 2 or not parts[-1].startswith("/"):
        hint = "write /path, name:/path or /host/path:/path, each possibly followed by :ro"
        raise Invalid(f"{text!r} is not a volume", hint)
    return VolumeText(parts[-1], parts[0] if len(parts) == 2 else None, "ro" in modes)


def parse_check(text: str) -> HealthCheck:
    """``OPTIONS /ping``, ``/ping``, ``tcp``, ``exec COMMAND`` or ``none``."""
    words = text.split()
    if words in (["tcp"], ["none"]):
        return HealthCheck(kind=CheckKind(words[0]))
    if words[:1] == ["exec"] and len(words) > 1:
        return HealthCheck(kind=CheckKind.EXEC, command=parse_words(text.strip().removeprefix("exec")))
    method, path = ("GET", words[0]) if len(words) == 1 else [*words, "", ""][:2]
    if len(words) not in (1, 2) or not path.startswith("/") or _METHOD.fullmatch(method.upper()) is None:
        raise Invalid(f"{text!r} is not a check", _CHECK_HINT)
    return HealthCheck(method=method.upper(), path=path)


def parse_expect(text: str) -> tuple[int, int]:
    """A status such as ``200`` or a range such as ``200-299``."""
    match = re.fullmatch(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?", text.strip())
    if match is None or int(match[2] or match[1]) < int(match[1]):
        raise Invalid(f"{text!r} is not a range of HTTP statuses", "write for example 200 or 200-399")
    return int(match[1]), int(match[2] or match[1])


def parse_shares(texts: list[str]) -> tuple[int, ...]:
    """Percentages for a canary, growing; 100 is added when it is missing at the end."""
    shares = [parse_int(text.removesuffix("%")) for text in texts]
    if not shares or sorted(set(shares)) != shares or not 0 < shares[0] <= shares[-1] <= 100:
        raise Invalid("the steps of a canary must grow from 1 to 100", "write for example [5, 25, 50]")
    return tuple(shares) if shares[-1] == 100 else (*shares, 100)


def parse_listen(text: str) -> tuple[str, int | None]:
    """Where a route listens: ``127.0.0.1``, ``8080``, ``127.0.0.1:8080`` or ``[::1]:8080``."""
    if text.isdigit():
        return "", parse_port_number(text)
    match = re.fullmatch(r"(?:\[([^\]]+)\]|([^:]+)):([0-9]+)", text)
    if match:
        return check_address(match[1] or match[2]), parse_port_number(match[3])
    return check_address(text.strip("[]")), None


def parse_host(text: str) -> str:
    """A host name, possibly with ``*.`` in front."""
    bare = text.removeprefix("*.")
    if re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?", bare) is None:
        raise Invalid(f"{text!r} is not a host name", "write for example shop.example.com or *.example.com")
    return text.lower()


def parse_name(text: str) -> str:
    """A name for commands and labels: letters, digits, ``-``, ``_`` and dots."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", text) is None:
        raise Invalid(f"{text!r} is not a name", "use letters, digits, -, _ and dots, at most 63")
    return text
