"""What a service is: the desired state of one entry of a stack, dialect already forgotten.

Both stack dialects end here. A :class:`ServiceSpec` holds everything that makes one release
differ from another; its :func:`config_hash` is what "changed" means.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import Any

from bluegreen.domain.agent import Agent
from bluegreen.domain.check import TCP_CHECK, HealthCheck
from bluegreen.domain.policy import RolloutPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Resource limits of one instance. ``None`` means no limit was asked for.

    ``cpu_shares`` is a relative weight (1024 is the norm), ``cpuset`` a list of CPUs such as
    ``0,1`` or ``0-2``, ``cpus`` a number of CPUs, the memory limits are bytes
    (``memswap_limit`` counts memory plus swap; -1 is unlimited), ``pids`` a number of tasks.
    """

    cpu_shares: int | None = None
    cpuset: str | None = None
    cpus: float | None = None
    mem_limit: int | None = None
    memswap_limit: int | None = None
    mem_reservation: int | None = None
    pids: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortMapping:
    """A container port published on the host. ``host`` of ``None`` lets the host choose."""

    container: int
    host: int | None = None
    protocol: str = "tcp"
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A volume: ``source`` is a host path, a volume's name, or ``None`` for a fresh volume."""

    target: str
    source: str | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A name under which a service reaches another one of its stack."""

    service: str
    alias: str


class RestartPolicy(StrEnum):
    NO = "no"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"
    UNLESS_STOPPED = "unless-stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """How the process runtime runs the service: argv, and the folder to run it in.

    ``{port}`` in an argument, and the environment variable ``PORT``, hold the assigned port.
    """

    command: tuple[str, ...]
    directory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerOptions:
    """Settings that only a container engine understands, passed through as they are."""

    entrypoint: tuple[str, ...] | None = None
    user: str | None = None
    working_dir: str | None = None
    hostname: str | None = None
    privileged: bool = False
    read_only: bool = False
    tty: bool = False
    stdin_open: bool = False
    init: bool = False
    network_mode: str | None = None
    pid_mode: str | None = None
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    tmpfs: tuple[str, ...] = ()
    shm_size: int | None = None
    ulimits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    sysctls: Mapping[str, str] = field(default_factory=dict)
    log_driver: str | None = None
    log_options: Mapping[str, str] = field(default_factory=dict)
    platform: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerHealth:
    """Docker's own HEALTHCHECK, run by the Engine inside the container. Times are seconds.

    ``test`` is as Docker has it: ``("CMD", argv…)``, ``("CMD-SHELL", line)``, or ``("NONE",)``, which
    switches the image's own off. A time of ``None`` is Docker's default.
    """

    test: tuple[str, ...]
    interval: float | None = None
    timeout: float | None = None
    retries: int | None = None
    start_period: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """One service of a stack: what to run, how many, how to check it, how to release it.

    ``replicas``, ``depends_on``, ``rollout``, ``agent`` and ``pre_stop`` say how it is operated and are
    not part of the configuration hash, nor are ``secrets``, the names of variables whose values nobody is
    shown (:mod:`bluegreen.domain.secrecy`); everything else is. ``health`` is the container's own check.
    ``pre_stop`` is a command run inside an instance before its stop signal. ``port`` is the one that
    carries routed traffic (``None``: the first of ``expose``, else the only port the image exposes).
    """

    name: str
    image: str | None = None
    process: ProcessSpec | None = None
    command: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    expose: tuple[int, ...] = ()
    ports: tuple[PortMapping, ...] = ()
    mounts: tuple[Mount, ...] = ()
    links: tuple[Link, ...] = ()
    restart: RestartPolicy = RestartPolicy.NO
    restart_attempts: int | None = None
    limits: Limits = Limits()
    container: ContainerOptions = ContainerOptions()
    check: HealthCheck = TCP_CHECK
    agent: Agent = Agent()
    health: ContainerHealth | None = None
    pre_stop: tuple[str, ...] = ()
    stop_signal: str = "TERM"
    stop_grace: float = 10.0
    replicas: int = 1
    depends_on: tuple[str, ...] = ()
    rollout: RolloutPolicy = RolloutPolicy()


_OPERATED = frozenset({"replicas", "depends_on", "rollout", "agent", "pre_stop", "secrets"})


def config_hash(spec: ServiceSpec, image_digest: str = "") -> str:
    """Return 16 hex digits that change exactly when a new release is needed to apply ``spec``."""
    config = {key: _plain(value) for key, value in _said(spec).items() if key not in _OPERATED}
    canonical = json.dumps([config, image_digest], sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _said(value: Any) -> dict[str, object]:
    """Return the fields that differ from their defaults, so that a field added later changes no hash."""
    said: dict[str, object] = {}
    for part in fields(value):
        own = getattr(value, part.name)
        default = part.default_factory() if part.default_factory is not MISSING else part.default
        if own != default:
            said[part.name] = _said(own) if is_dataclass(own) else own
    return said


def _plain(value: object) -> object:
    """Return ``value`` as it looks after a trip through the journal: 2 and 2.0 are one number."""
    if is_dataclass(value):
        return _plain(_said(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value
