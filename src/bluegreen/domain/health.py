"""Probe results, and the fold that turns them into a verdict (rise/fall)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from bluegreen.domain.check import HealthCheck


class Outcome(StrEnum):
    """What one probe saw. ``UNKNOWN`` is the prober's own failure and says nothing of the target."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """One probe, with what a person needs to see. Times are UNIX seconds and seconds."""

    outcome: Outcome
    url: str
    at: float
    elapsed: float = 0.0
    status: int | None = None
    body: str = ""
    error: str = ""

    def describe(self) -> str:
        if self.error:
            return f"{self.url}: {self.error}"
        shown = f" {self.body!r}" if self.body else ""
        return f"{self.url}: status {self.status}{shown}"


class Verdict(StrEnum):
    STARTING = "starting"
    HEALTHY = "healthy"
    SICK = "sick"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The running verdict on one incarnation of one instance."""

    verdict: Verdict = Verdict.STARTING
    passes: int = 0
    failures: int = 0
    since: float = 0.0
    last: ProbeResult | None = None


def fold(health: Health, result: ProbeResult, check: HealthCheck, started_at: float) -> Health:
    """Return ``health`` after one more probe.

    ``rise`` passes in a row make it healthy; ``fall`` failures in a row make it sick, but failures
    within the start period of an instance that was never healthy do not count.
    """
    if result.outcome is Outcome.UNKNOWN:
        return health
    if result.outcome is Outcome.PASS:
        passes = health.passes + 1
        return _turn(
            replace(health, passes=passes, failures=0, last=result),
            Verdict.HEALTHY if passes >= check.rise else health.verdict,
            result.at,
        )
    in_grace = health.verdict is Verdict.STARTING and result.at < started_at + check.start_period
    failures = health.failures + (0 if in_grace else 1)
    return _turn(
        replace(health, passes=0, failures=failures, last=result),
        Verdict.SICK if failures >= check.fall else health.verdict,
        result.at,
    )


def _turn(health: Health, verdict: Verdict, at: float) -> Health:
    return health if verdict is health.verdict else replace(health, verdict=verdict, since=at)
