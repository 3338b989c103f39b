"""Prober: asks an instance itself whether it is well."""

from __future__ import annotations

from typing import Protocol

from bluegreen.domain.check import HealthCheck
from bluegreen.domain.health import ProbeResult


class Prober(Protocol):
    async def probe(self, host: str, port: int, check: HealthCheck) -> ProbeResult:
        """Perform one check, bounded by ``check.timeout``. Never raises.

        Redirects are not followed, proxies are ignored, the body is bounded. What is the prober's
        own fault (no file descriptor, no memory) is ``UNKNOWN``.
        """
        ...
