"""How the local agent looks after a service's instances: what it asks, and what it may do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bluegreen.domain.check import HealthCheck


class AgentMode(StrEnum):
    """``SAFE``: out of rotation, drained, stopped, started, in again; never the last one that serves.

    ``COMPAT``: what the container of Docker Cloud's days did to itself: one failure, and the main
    process gets TERM at once. ``OFF``: nothing is ever restarted for not answering.
    """

    SAFE = "safe"
    COMPAT = "compat"
    OFF = "off"


COMPAT_CHECK = HealthCheck(
    method="HEAD",
    path="/ping",
    expect=((200, 209), (300, 309)),
    interval=10.0,
    timeout=3.0,
    connect_timeout=3.0,
    fall=1,
    start_period=10.0,
)
"""The original agent: ``sleep 10; curl -sI --connect-timeout 3 -m 3 …/ping | egrep "(20[0-9]|30[0-9])"``,
else ``kill``. Its first look came 10 s after the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """``check`` is asked all the time; ``None`` means that a sign of life is asked for only while
    something (the balancer, Docker) says that the instance is sick.

    ``drain`` is how many seconds the requests in flight of a sick instance get to end. At most
    ``budget`` restarts happen within ``window`` seconds of one service; then the agent stops and alarms
    until the window has passed (a circuit breaker).
    """

    mode: AgentMode = AgentMode.SAFE
    check: HealthCheck | None = None
    drain: float = 5.0
    budget: int = 5
    window: float = 600.0
