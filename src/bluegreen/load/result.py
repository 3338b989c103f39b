"""The values of a load run: what was seen of each request, and what it adds up to.

Samples are made by :mod:`bluegreen.load.user`, summed up by :mod:`bluegreen.load.analysis`, shown by
:mod:`bluegreen.load.report`. A :class:`Result` goes through JSON unchanged (``to_dict`` /
``from_dict``), because it usually comes out of another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Kind(StrEnum):
    """How a user behaves."""

    KEEPALIVE = "keepalive"
    ONESHOT = "oneshot"
    POST = "post"
    SLOW = "slow"


class Outcome(StrEnum):
    """What became of a request. All but ``OK`` are failures."""

    OK = "ok"
    REFUSED = "refused"
    RESET = "reset"
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"
    BAD_STATUS_5XX = "bad_status_5xx"
    BAD_STATUS_OTHER = "bad_status_other"
    WRONG_BODY = "wrong_body"
    MALFORMED = "malformed"
    UNREACHABLE = "unreachable"
    CLOSED_BEFORE_RESPONSE = "closed_before_response"
    """A new connection was closed without any answer."""
    CLOSED_AFTER_SEND = "closed_after_send"
    """A kept-alive connection was closed after the request was sent, without any answer."""


class Sample(NamedTuple):
    """One request. ``start`` and ``end`` are seconds of the system's monotonic clock."""

    kind: Kind
    start: float
    end: float
    version: str
    outcome: Outcome


class Edge(StrEnum):
    BEGIN = "begin"
    END = "end"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something the caller did at ``at`` (monotonic seconds, the same for all processes of a machine)."""

    name: str
    edge: Edge
    at: float


@dataclass(frozen=True, slots=True)
class Progress:
    """A look at a run that goes on. ``versions`` counts right answers; ``latest`` gave the last one."""

    requests: int
    failed: int
    versions: Mapping[str, int]
    latest: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Evidence of one failed request: begun ``at_ms`` after the start of the run, over ``took_ms`` later."""

    kind: str
    outcome: str
    at_ms: float
    version: str
    detail: str
    took_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Nearest-rank percentiles of ``count`` right answers; zeros when there were none."""

    count: int = 0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class ClassTotals:
    """All requests of one kind of user."""

    requests: int
    failed: int
    failures: Mapping[str, int]
    latency: Latency


@dataclass(frozen=True, slots=True)
class Bin:
    """Requests that started in one slice of time. Latencies are of fast kinds only."""

    at_ms: float
    versions: Mapping[str, int]
    failed: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Switch:
    """What users saw of one marked switch; :func:`bluegreen.load.analysis.switch` has the formulas.

    ``None`` where nothing was seen (no answer of a new version, no end mark). ``stale`` counts the
    requests that were sent after a complete answer of the new version had been received and were
    still answered by the old one: with an atomic switch it is 0, free of measuring noise.
    """

    name: str
    begin_ms: float
    command_ms: float | None
    old: str
    new: str | None
    first_new_ms: float | None
    mixed_ms: float
    stale: int
    requests: int
    failed: int
    before: Latency
    during: Latency
    after: Latency


@dataclass(frozen=True, slots=True)
class Result:
    """A whole run.

    ``idle_closed``: kept-alive connections that the server closed while nothing was in flight (legal).
    ``skipped``: requests that were due while their user still waited for an answer; a stall shows here
    and in ``longest_gap_ms``, the longest time without any right answer to a fast user.
    """

    duration_s: float
    requests: int
    failed: int
    failures_by_class: Mapping[str, int]
    idle_closed: int
    skipped: int
    longest_gap_ms: float
    classes: Mapping[str, ClassTotals]
    versions: Mapping[str, int]
    latency: Latency
    switches: tuple[Switch, ...] = ()
    timeline: tuple[Bin, ...] = ()
    bin_ms: float = 0.0
    first_failures: tuple[Failure, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Result:
        """Rebuild a result from :meth:`to_dict`, also after a round through JSON."""
        fields = dict(data)
        fields["latency"] = Latency(**data["latency"])
        fields["classes"] = {
            name: ClassTotals(**{**totals, "latency": Latency(**totals["latency"])})
            for name, totals in data["classes"].items()
        }
        windows = ("before", "during", "after")
        fields["switches"] = tuple(
            Switch(**{**seen, **{name: Latency(**seen[name]) for name in windows}})
            for seen in data["switches"]
        )
        fields["timeline"] = tuple(Bin(**slice_) for slice_ in data["timeline"])
        fields["first_failures"] = tuple(Failure(**failure) for failure in data["first_failures"])
        return cls(**fields)
