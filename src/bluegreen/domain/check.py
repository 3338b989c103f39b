"""What "healthy" means for one service: the vocabulary shared by our probe and the balancer's check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CheckKind(StrEnum):
    HTTP = "http"
    TCP = "tcp"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How to ask an instance whether it is well.

    Times are seconds. ``expect`` is an inclusive range of HTTP statuses. ``rise`` successes in a
    row make an instance healthy, ``fall`` failures in a row make it sick. Failures within
    ``start_period`` of an instance's start do not count against it. ``port`` of ``None`` means the
    port that carries the traffic.
    """

    kind: CheckKind = CheckKind.HTTP
    method: str = "GET"
    path: str = "/"
    host: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    expect: tuple[int, int] = (200, 399)
    port: int | None = None
    interval: float = 2.0
    timeout: float = 2.0
    rise: int = 1
    fall: int = 2
    start_period: float = 0.0


TCP_CHECK = HealthCheck(kind=CheckKind.TCP)
"""The default where nothing was said: the port accepts a connection."""
