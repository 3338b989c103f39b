"""Asks an instance one health question: over the network, or by a command inside it."""

from __future__ import annotations

import asyncio
import shlex
import time

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.health import Outcome, ProbeResult
from bluegreen.domain.instance import Instance
from bluegreen.ports.clock import Clock
from bluegreen.ports.prober import Prober
from bluegreen.ports.runtime import Console

KEPT_OUTPUT = 200
"""Characters of a command's output that are kept as evidence."""


class Asker:
    def __init__(self, prober: Prober, console: Console, clock: Clock) -> None:
        self._prober = prober
        self._console = console
        self._clock = clock

    async def ask(self, instance: Instance, check: HealthCheck) -> ProbeResult:
        """Perform one check, bounded by ``check.timeout``. Never raises."""
        if check.kind is CheckKind.EXEC:
            return await self._execute(instance, check)
        assert instance.host is not None
        assert instance.port is not None
        return await self._prober.probe(instance.host, check.port or instance.port, check)

    async def _execute(self, instance: Instance, check: HealthCheck) -> ProbeResult:
        """A command that says no, or nothing in time, says it of the instance; all else is our trouble."""
        at, begun = self._clock.now(), time.perf_counter()
        status, body, error, outcome = None, "", "", Outcome.FAIL
        try:
            async with asyncio.timeout(check.timeout):
                status, body = await self._console.execute(instance.name, check.command)
            outcome = Outcome.PASS if status == 0 else Outcome.FAIL
        except TimeoutError:
            error = f"timed out after {check.timeout:g} s"
        except BluegreenError as failure:
            error, outcome = failure.message, Outcome.UNKNOWN
        return ProbeResult(
            outcome=outcome,
            url=f"exec {shlex.join(check.command)}",
            at=at,
            elapsed=time.perf_counter() - begun,
            status=status,
            body=body[-KEPT_OUTPUT:],
            error=error,
        )
