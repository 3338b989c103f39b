"""What a controller answers, as frozen dataclasses. Times are UNIX seconds, shares percent of the traffic.

A controller that is newer may say more: that is left out here, so that a program goes on working. A test
holds the fields to those that the controller has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Which controller answers."""

    version: str
    pid: int
    runtime: str
    balancer: str
    state_dir: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The requests of the last minute: per second, the share (0 to 1) that was answered with 5xx, and the
    seconds within which half and 95 % of them were answered."""

    rate: float
    errors: float
    p50: float
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Color:
    """What runs in one color of a service; ``serving`` of ``running`` instances get requests. ``traffic`` is
    ``None`` where nobody measures it, or no request came."""

    color: str
    release: int
    image: str
    wanted: int
    running: int
    serving: int
    in_flight: int
    share: int
    traffic: Traffic | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a rollout failed or was ended. ``evidence`` are pairs of a label and what was seen."""

    code: str
    message: str
    evidence: tuple[tuple[str, str], ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a rollout stands, as the command line says it: ``exit_code`` 0 promoted, 1 failed, 3 taken back."""

    exit_code: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One passage of a service to the pool ``target``; ``phase`` as in docs/reference/rollout.md.

    ``settled``: all traffic is on the target, and no request is left on the source. A time of 0 is one that
    has not come, or none: ``paused_at`` is since when a person holds it. ``outcome`` is absent in the answer
    to the command that began it.
    """

    id: str
    kind: str
    stack: str
    service: str
    target: str
    phase: str
    source: str | None = None
    routes: tuple[str, ...] = ()
    release: int = 0
    source_release: int = 0
    replicas: int = 1
    since: float = 0.0
    created_at: float = 0.0
    shifted_at: float = 0.0
    ended_at: float = 0.0
    paused_at: float = 0.0
    settled: bool = False
    reason: Reason | None = None
    outcome: Outcome | None = None

    @property
    def promoted(self) -> bool:
        """Whether users are served by what it brought, and it was not taken back."""
        return self.outcome is not None and self.outcome.exit_code == 0 and self.settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service: what is wanted, what runs in each color, and which one is live."""

    name: str
    stack: str
    state: str
    image: str
    replicas: int
    running: int
    live_color: str
    live_release: int
    routed: bool
    synchronized: bool
    colors: tuple[Color, ...] = ()
    rollout: Rollout | None = None
    alarm: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route: ``live`` is the service that has the traffic; ``weights`` are shares by pool."""

    name: str
    stack: str
    balancer: str
    port: int
    host: str
    path: str
    live: str
    target: str
    weights: Mapping[str, int]
    synchronized: bool
    maintenance: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance. ``rotation`` is ``in``, ``out`` or ``-`` (not behind a balancer), ``why`` says why."""

    name: str
    stack: str
    service: str
    color: str
    release: int
    state: str
    address: str
    rotation: str
    why: str
    since: float
    share: int
    in_flight: int
    started_at: float
    restarts: int
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A balancer on another box. ``behind``: it does not carry yet what was published last; ``lost``: it
    followed and is not heard of. ``stale_since`` and ``trouble``: since when and why it may be old."""

    name: str
    stack: str
    balancer: str
    behind: bool
    stale_since: float | None
    trouble: str
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A person's word that nothing new is released: of all of the stack where ``service`` is empty. ``until``
    of ``None``: for as long as nobody takes it away."""

    stack: str
    service: str
    who: str
    why: str
    since: float
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything at one look; ``rollouts`` are those under way. ``balancer`` and ``registry`` say why they do
    not answer, ``registry_since`` since when; ``locks`` hold now."""

    services: tuple[Service, ...]
    routes: tuple[Route, ...]
    instances: tuple[Instance, ...]
    rollouts: tuple[Rollout, ...]
    balancer: str = ""
    registry: str = ""
    registry_since: float | None = None
    boxes: tuple[Box, ...] = ()
    locks: tuple[Lock, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened. ``kind`` as in docs/reference/events.md, ``message`` for people."""

    id: int
    kind: str
    message: str
    at: float
    level: str = "info"
    stack: str = ""
    service: str = ""
    rollout: str = ""
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack that is wanted. ``generation`` grows with each change."""

    name: str
    generation: int
    changed_at: float
    services: tuple[str, ...]
    balancers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What ``up`` does to one service: ``create``, ``deploy``, ``scale``, ``remove``, ``keep``, …"""

    service: str
    action: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What ``up`` would change in a stack as it was; ``tag`` stands for that."""

    tag: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    """What ``up`` changed, and the rollouts that it began."""

    changes: tuple[Change, ...]
    rollouts: tuple[Rollout, ...]
