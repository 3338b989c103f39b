"""What load to send: the settings of one run, checked before the first byte is sent.

The load client is only for the machine and networks of the one who runs it: a target that is
neither loopback nor a private address is refused here.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit


class LoadError(Exception):
    """The load cannot be run as asked (bad target, bad numbers, the load process died)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run. Times are seconds.

    ``rate`` bounds the requests per second of all fast clients (keep-alive, one-shot, POST) together;
    a rate the machine cannot carry would measure the machine, so 400 to 1000 suits two cores.
    ``keepalive``, ``oneshot``, ``post`` and ``slow`` are numbers of concurrent users; half of the POST
    users keep their connection, half open a new one each time. Slow users have one request in flight
    at all times. ``host`` is the Host header (default: that of the URL). ``expect`` are bytes that the
    body of each GET must contain. ``evidence`` bounds how many failures are kept one by one. The run ends
    after ``duration`` or ``max_requests``, whichever is first; requests in flight are then awaited, never
    cut.
    """

    url: str
    host: str = ""
    duration: float = 10.0
    max_requests: int = 300_000
    rate: float = 500.0
    keepalive: int = 16
    oneshot: int = 8
    post: int = 6
    slow: int = 4
    path: str = "/"
    post_path: str = "/echo"
    slow_path: str = "/slow?seconds=1.5"
    timeout: float = 5.0
    slow_timeout: float = 10.0
    version_header: str = "x-version"
    expect: str = ""
    evidence: int = 20

    def check(self) -> None:
        """Raise :class:`LoadError` for numbers that make no sense."""
        users = (self.keepalive, self.oneshot, self.post, self.slow)
        if min(users) < 0 or sum(users) == 0:
            raise LoadError(f"the numbers of users must be positive, not {users}")
        bounds = {
            "duration": self.duration,
            "rate": self.rate,
            "timeout": self.timeout,
            "slow_timeout": self.slow_timeout,
            "max_requests": self.max_requests,
        }
        for name, value in bounds.items():
            if not 0 < value < float("inf"):
                raise LoadError(f"{name} must be a positive number, not {value}")
        texts = (self.host, self.path, self.post_path, self.slow_path)
        if any(not text.isprintable() or " " in text for text in texts):
            raise LoadError("paths and the host must not contain spaces or control characters")


@dataclass(frozen=True, slots=True)
class Target:
    """A resolved target: where to connect, and the Host header to send."""

    family: socket.AddressFamily
    address: tuple[str, int]
    host: str


def resolve(plan: Plan) -> Target:
    """Return where ``plan`` points to; refuse anything but loopback and private addresses."""
    try:
        parts = urlsplit(plan.url)
        port = parts.port or 80
    except ValueError as error:
        raise LoadError(f"{plan.url!r} is not a URL: {error}") from error
    if parts.scheme != "http" or not parts.hostname:
        raise LoadError(f"the target must look like http://127.0.0.1:8080, not {plan.url!r}")
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise LoadError(f"cannot resolve {parts.hostname!r}: {error}") from error
    family, _, _, _, address = found[0]
    ip = ipaddress.ip_address(address[0])
    if not (ip.is_loopback or ip.is_private):
        raise LoadError(
            f"{ip} is neither a loopback nor a private address: load goes to your own machines only"
        )
    return Target(socket.AddressFamily(family), (str(ip), port), plan.host or parts.netloc.rpartition("@")[2])
