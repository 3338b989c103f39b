"""What "healthy" means for one service: one vocabulary for every kind of check.

The balancer's check, our own probe and the local agent ask the same question in the same words; what
differs is what follows from the answer: *readiness* (in or out of rotation) or *liveness* (restart).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class CheckKind(StrEnum):
    """``EXEC`` runs a command inside the instance; 0 is well. The balancer cannot ask that one."""

    HTTP = "http"
    TCP = "tcp"
    EXEC = "exec"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How to ask an instance whether it is well.

    Times are seconds. ``timeout`` bounds the whole check, ``connect_timeout`` (``None``: as long as the
    whole) its connection. ``expect`` holds inclusive ranges of HTTP statuses: by default not those of a
    redirect, which says that somebody else would answer. ``body`` is a text that the beginning of the
    answer must contain (``None``: any). ``rise`` successes in a row make an instance
    healthy, ``fall`` failures in a row make it sick. Failures within ``start_period`` of an instance's
    start do not count against it. ``port`` of ``None`` means the port that carries the traffic. ``tls``
    speaks TLS without verifying the certificate: the question is whether it is well, not who it is.
    ``command`` is the argv of an ``EXEC`` check.
    """

    kind: CheckKind = CheckKind.HTTP
    method: str = "GET"
    path: str = "/"
    host: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    expect: tuple[tuple[int, int], ...] = ((200, 299),)
    body: str | None = None
    tls: bool = False
    command: tuple[str, ...] = ()
    port: int | None = None
    interval: float = 2.0
    timeout: float = 2.0
    connect_timeout: float | None = None
    rise: int = 1
    fall: int = 2
    start_period: float = 0.0

    @property
    def asked_by_us(self) -> bool:
        """True for a question that no balancer can ask."""
        return self.kind is CheckKind.EXEC

    def accepts(self, status: int) -> bool:
        return any(lowest <= status <= highest for lowest, highest in self.expect)


TCP_CHECK = HealthCheck(kind=CheckKind.TCP)
"""The default where nothing was said: the port accepts a connection."""

HTTPCHK_STATUSES = ((200, 399),)
"""What HAProxy's ``option httpchk`` takes for well where nothing else is said, and so did Docker Cloud."""

ANY_ANSWER = ((100, 599),)


def signs_of_life(check: HealthCheck) -> HealthCheck:
    """Return the question "does it answer at all?", asked as ``check`` asks, but with more patience.

    An application that answers 503 is alive and says that it is not ready: restarting it heals nothing.
    The times are those of the mission's original agent: every 10 s, connected and answered within 3 s.
    """
    return replace(
        check,
        kind=CheckKind.HTTP if check.kind is CheckKind.HTTP else CheckKind.TCP,
        expect=ANY_ANSWER,
        body=None,
        interval=10.0,
        timeout=max(3.0, check.timeout),
        connect_timeout=None,
        rise=1,
        fall=3,
    )
