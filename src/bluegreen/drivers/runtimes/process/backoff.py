"""When an instance that ended comes back, and after how long."""

from __future__ import annotations

from bluegreen.domain.spec import RestartPolicy, ServiceSpec

FIRST = 0.1
LONGEST = 30.0
STABLE = 10.0
"""Seconds: Docker's own figures for the first wait and for what counts as having run well."""


def comes_back(spec: ServiceSpec, exit_code: int | None, restarts: int) -> bool:
    """Whether the restart policy brings it back. An end that nobody saw (``None``) is a failure."""
    if spec.restart is RestartPolicy.NO:
        return False
    if spec.restart is RestartPolicy.ON_FAILURE:
        attempts = spec.restart_attempts
        return exit_code != 0 and (attempts is None or restarts < attempts)
    return True


class Backoff:
    """Waits that double from 100 ms to 30 s, and begin anew after 10 s of uptime."""

    def __init__(self) -> None:
        self._next = FIRST

    def after(self, uptime: float) -> float:
        """Return the seconds to wait after an incarnation that lived for ``uptime`` seconds."""
        if uptime >= STABLE:
            self._next = FIRST
        wait = self._next
        self._next = min(self._next * 2, LONGEST)
        return wait
