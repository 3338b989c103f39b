"""A prober that sees what a test told it to see.

It passes the same contract suite as the real one (:mod:`bluegreen.testing.prober_contract`). An
address of which nothing was said refuses the connection, as a free port does.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.health import Outcome, ProbeResult
from bluegreen.ports.prober import Prober


@dataclass(frozen=True, slots=True)
class _Target:
    """``statuses`` are answered one after the other, the last one for ever; empty: it never answers."""

    statuses: tuple[int, ...]
    body: str = ""


class FakeProber:
    """See the module. ``calls`` holds host, port and check of every probe, oldest first.

    ``now`` gives UNIX seconds; without it they are counted. No time passes, not even in a timeout.
    """

    def __init__(self, *, now: Callable[[], float] | None = None) -> None:
        ticks = itertools.count(1_700_000_000)
        self.calls: list[tuple[str, int, HealthCheck]] = []
        self._now = now or (lambda: float(next(ticks)))
        self._targets: dict[tuple[str, int], _Target] = {}
        self._blind = ""
        self._seeing = asyncio.Event()
        self._seeing.set()

    async def probe(self, host: str, port: int, check: HealthCheck) -> ProbeResult:
        port = check.port or port
        self.calls.append((host, port, check))
        await asyncio.sleep(0)  # the real one gives way here too: let others interleave
        await self._seeing.wait()
        scheme, path = ("http", check.path) if check.kind is CheckKind.HTTP else ("tcp", "")
        outcome, status, text = self._look(host, port, check)
        answered = status is not None
        return ProbeResult(
            outcome=outcome,
            url=f"{scheme}://{host}:{port}{path}",
            at=self._now(),
            status=status,
            body=text if answered else "",
            error="" if answered else text,
        )

    # -- what a test can do to it --------------------------------------------------------------

    def serve(self, host: str, port: int, *statuses: int, body: str = "") -> None:
        """Answer from now on: with each status once (200 if none is given), then always with the last."""
        self._targets[host, port] = _Target(statuses or (200,), body)

    def silence(self, host: str, port: int) -> None:
        """Accept connections from now on and never answer."""
        self._targets[host, port] = _Target(())

    def refuse(self, host: str, port: int) -> None:
        """Refuse connections from now on."""
        self._targets.pop((host, port), None)

    def blind(self, reason: str = "too many open files") -> None:
        """Fail by the prober's own fault from now on, until :meth:`see`."""
        self._blind = reason

    def see(self) -> None:
        self._blind = ""

    def freeze(self) -> None:
        """Let every probe wait until :meth:`thaw`."""
        self._seeing.clear()

    def thaw(self) -> None:
        self._seeing.set()

    # -- inside --------------------------------------------------------------------------------

    def _look(self, host: str, port: int, check: HealthCheck) -> tuple[Outcome, int | None, str]:
        """Return the outcome and either a status with its body or an error."""
        if check.kind is CheckKind.NONE:
            return Outcome.PASS, None, ""
        if self._blind:
            return Outcome.UNKNOWN, None, self._blind
        target = self._targets.get((host, port))
        if target is None:
            return Outcome.FAIL, None, "connection refused"
        if check.kind is CheckKind.TCP:
            return Outcome.PASS, None, ""
        if not target.statuses:
            return Outcome.FAIL, None, f"timed out after {check.timeout:g} s without an answer"
        status, *later = target.statuses
        if later:
            self._targets[host, port] = _Target(tuple(later), target.body)
        return (Outcome.PASS if check.accepts(status) else Outcome.FAIL), status, target.body[:200]


_: type[Prober] = FakeProber
