"""One running copy of a release: as it is wanted, and as a runtime reports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bluegreen.domain.naming import Color, PoolId, instance_name, pool_id
from bluegreen.domain.spec import ServiceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSpec:
    """What a runtime is asked to run. The same value always means the same instance.

    ``image`` is the reference to run, pinned to a digest where one exists. ``aliases`` are the
    names under which the rest of the stack finds the instance. ``color`` is ``None`` for a service
    without colors.
    """

    name: str
    stack: str
    service: str
    release: int
    index: int
    color: Color | None
    image: str
    config_hash: str
    spec: ServiceSpec
    aliases: tuple[str, ...] = ()

    @property
    def pool(self) -> PoolId:
        return pool_id(self.stack, self.service, self.color)


class InstanceState(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    EXITED = "exited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance as its runtime reports it.

    ``host`` and ``port`` are where it takes traffic (``None`` while it has no address). Times are
    UNIX seconds. ``restarts`` counts how often the runtime brought it back. ``exit_code`` is that
    of the last end, ``None`` while it never ended or when nobody saw it end. ``health`` is the
    runtime's own verdict (Docker's HEALTHCHECK), ``""`` when it has none. ``incarnation`` changes
    whenever the process behind the name is a new one. ``stopping`` is true from the signal that asks it
    to end, by whoever's hand, to its end.
    """

    name: str
    stack: str
    service: str
    release: int
    index: int
    color: Color | None
    config_hash: str
    state: InstanceState
    incarnation: str = ""
    host: str | None = None
    port: int | None = None
    started_at: float = 0.0
    restarts: int = 0
    exit_code: int | None = None
    oom_killed: bool = False
    error: str = ""
    health: str = ""
    image: str = ""
    stopping: bool = False

    @property
    def pool(self) -> PoolId:
        return pool_id(self.stack, self.service, self.color)

    @property
    def running(self) -> bool:
        return self.state is InstanceState.RUNNING

    @property
    def over(self) -> bool:
        """True when no process of it runs or is about to come back by itself."""
        return self.state in {InstanceState.EXITED, InstanceState.CREATED}

    @property
    def reachable(self) -> bool:
        return self.running and self.host is not None and self.port is not None

    @property
    def cut_off(self) -> bool:
        """True when it runs and is to take traffic, but has no address (its network was taken away)."""
        return self.running and self.host is None and self.port is not None

    @property
    def named_as_made(self) -> bool:
        """False once somebody renamed it: its labels say what it is, and so what it is to be called."""
        return self.name == instance_name(self.stack, self.service, self.release, self.index)


class RuntimeEventKind(StrEnum):
    STARTED = "started"
    STOPPING = "stopping"
    """It was sent the signal that asks it to end, or SIGKILL: give it nothing new."""

    DIED = "died"
    OOM = "oom"
    PAUSED = "paused"
    RESUMED = "resumed"
    HEALTH = "health"
    REMOVED = "removed"
    ADDRESS = "address"
    RESYNC = "resync"
    """The stream was interrupted: anything may have changed, look again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeEvent:
    """Something happened to an instance. It is a reason to look, never a fact in itself."""

    kind: RuntimeEventKind
    stack: str = ""
    service: str = ""
    instance: str = ""
    at: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The outcome of preparing a spec: the reference to run and the ports its image exposes."""

    image: str
    digest: str = ""
    ports: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
