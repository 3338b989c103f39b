"""What a balancer's environment has said so far, while it is being read variable by variable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.routing import Globals, Mode, PoolOptions
from bluegreen.stack.problems import Invalid
from bluegreen.stack.tree import Report
from bluegreen.stack.virtual_hosts import VirtualHost

ORIGINAL_CHECK = HealthCheck(kind=CheckKind.TCP, interval=2.0, timeout=2.0, rise=2, fall=3)
"""``check inter 2000 rise 2 fall 3``: what the old balancer did when nothing was said."""

STATS_PORT = 1936


@dataclass(slots=True)
class Draft:
    """Values read so far. Immutable parts are replaced, never changed, so that ``fork`` is safe.

    ``raw_binds`` and ``raw_frontends`` map a container port to raw text; ``monitor`` is the port and
    the path of the monitoring page; ``tcp_ports`` maps a port to whether it speaks TLS.
    """

    pool: PoolOptions = PoolOptions()
    check: HealthCheck = ORIGINAL_CHECK
    check_timeout: float | None = None
    mode: Mode = Mode.HTTP
    client_timeout: float = 50.0
    maxconn: int = 4096
    listener_options: tuple[str, ...] = ()
    listener_extra: tuple[str, ...] = ()
    basic_auth: tuple[tuple[str, str], ...] = ()
    raw_binds: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    raw_frontends: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    certificates: tuple[str, ...] = ()
    client_ca: str | None = None
    settings: Globals = Globals()
    stats_port: int | None = None
    stats_auth: tuple[str, str] | None = None
    monitor_path: str | None = None
    monitor_port: int | None = None
    tcp_ports: Mapping[int, bool] = field(default_factory=dict)
    virtual_hosts: tuple[VirtualHost, ...] = ()
    host_priority: int = 0
    excluded_ports: frozenset[int] = frozenset()

    def fork(self) -> Draft:
        """Return a copy for a linked service, which may say otherwise for itself."""
        return replace(self, tcp_ports=dict(self.tcp_ports))

    def finished_check(self) -> HealthCheck:
        """Return the check; HAProxy lets it take the whole interval unless ``timeout check`` is set."""
        return replace(self.check, timeout=self.check_timeout or self.check.interval)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a variable stands: its name, its environment, and how to read the files it names."""

    name: str
    environment: Mapping[str, str]
    report: Report
    mounts: Mapping[str, str]

    def warn(self, message: str, hint: str = "") -> None:
        self.report.warn("setting_ignored", f"{self.name}: {message}", hint=hint)

    def host_path(self, inside: str) -> Path:
        """Return where a path of the container lies on the host. Raises :class:`Invalid`."""
        for target in sorted(self.mounts, key=len, reverse=True):
            if inside == target or inside.startswith(target.rstrip("/") + "/"):
                return Path(self.mounts[target] + inside[len(target.rstrip("/")) :])
        hint = "mount the host's folder with `volumes: [/host/folder:/container/folder]`"
        raise Invalid(f"{self.name}: {inside} is not below a mounted volume", hint)

    def read(self, inside: str) -> str:
        path = self.host_path(inside)
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise Invalid(
                f"{self.name}: cannot read {path}: {reason}", "check the path on the host"
            ) from None


Apply = Callable[[Draft, str, Place], None]
