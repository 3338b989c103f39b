"""From samples to a result: the formulas, all in one place, all pure.

Called by :class:`~bluegreen.load.session.LoadSession` when a run has ended, and by tests with
made-up samples. Rules: a request belongs to the moment it *started*; only right answers have a
latency; slow users (who wait on purpose) are left out of latencies over all kinds, and kept in the
failures.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from bluegreen.load.result import (
    Bin,
    ClassTotals,
    Edge,
    Failure,
    Kind,
    Latency,
    Mark,
    Outcome,
    Result,
    Sample,
    Switch,
)

DURING_AT_LEAST = 0.5
ON_THE_WAY = 0.1
"""Seconds before the next switch within which a request sent and not yet answered may belong to that one."""
MAX_BINS = 240


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile of ascending values; 0 for none."""
    if not ordered:
        return 0.0
    rank = -(-len(ordered) * share // 100)
    return ordered[max(0, int(rank) - 1)]


def latency(samples: Iterable[Sample]) -> Latency:
    """Return the latencies of the right answers among ``samples``."""
    times = sorted((s.end - s.start) * 1e3 for s in samples if s.outcome is Outcome.OK)
    if not times:
        return Latency()
    p50, p95, p99 = (round(percentile(times, share), 3) for share in (50, 95, 99))
    return Latency(len(times), p50, p95, p99, round(times[-1], 3))


def fast_latency(samples: Iterable[Sample]) -> Latency:
    return latency(s for s in samples if s.kind is not Kind.SLOW)


def switch(samples: Sequence[Sample], begin: float, end: float | None, since: float, until: float) -> Switch:
    """Return what users saw of the switch whose command ran from ``begin`` to ``end``.

    ``samples`` are ordered by start; ``since`` and ``until`` are the neighbouring switches' begins (or
    the run's ends). With *sent* meaning ``begin ≤ start < until``:

    - ``old``: version of the right answer, received before ``begin``, to the latest-started request;
    - ``new``: version of the earliest-received right answer to a request sent, other than ``old``;
    - ``first_new_ms`` = its receipt − ``begin``;
    - ``mixed_ms`` = max(0, latest start of a request sent and answered by ``old`` − earliest start of
      one sent and answered by ``new``). Requests that overlap may be answered in either order, so an
      atomic switch may show the length of one request here;
    - ``stale`` = number of requests sent after that first receipt and answered by ``old``;
    - neither counts requests that were on the way when the next switch began, sent less than 0.1 s before:
      the balancer may have seen them after it, and ``old`` is often the version that comes next;
    - ``requests``/``failed``: those in flight at ``begin`` or sent;
    - before: received in [``since``, ``begin``); after: started after ``finish``; during: the others, where
      ``finish`` = the latest of ``end``, the first receipt and ``begin`` + 0.5 s, at most ``until``.
    """
    sent = _started(samples, begin, until)
    earlier = [s for s in _started(samples, since, begin)]
    answered = [s for s in earlier if s.end < begin]
    old = next((s.version for s in reversed(answered) if s.outcome is Outcome.OK), "")
    right = [s for s in sent if s.outcome is Outcome.OK]
    new_answers = [s for s in right if s.version != old]
    first = min(new_answers, key=lambda s: s.end, default=None)
    finish = min(until, max(begin + DURING_AT_LEAST, end or begin, first.end if first else begin))
    in_flight = [s for s in samples[: bisect_left(samples, begin, key=_start)] if s.end >= begin]
    mixed, stale = _mixed([s for s in right if s.end < until or s.start < until - ON_THE_WAY], old, first)
    return Switch(
        name="",
        begin_ms=begin,
        command_ms=None if end is None else round((end - begin) * 1e3, 3),
        old=old,
        new=first.version if first else None,
        first_new_ms=round((first.end - begin) * 1e3, 3) if first else None,
        mixed_ms=mixed,
        stale=stale,
        requests=len(in_flight) + len(sent),
        failed=sum(s.outcome is not Outcome.OK for s in (*in_flight, *sent)),
        before=fast_latency(answered),
        during=fast_latency([*in_flight, *(s for s in sent if s.start <= finish)]),
        after=fast_latency(s for s in sent if s.start > finish),
    )


def _mixed(right: Sequence[Sample], old: str, first: Sample | None) -> tuple[float, int]:
    if first is None:
        return 0.0, 0
    first_start = min((s.start for s in right if s.version == first.version), default=first.start)
    old_starts = [s.start for s in right if s.version == old]
    mixed = max(0.0, max(old_starts, default=first_start) - first_start)
    return round(mixed * 1e3, 3), sum(start > first.end for start in old_starts)


def _start(sample: Sample) -> float:
    return sample.start


def _started(samples: Sequence[Sample], since: float, until: float) -> Sequence[Sample]:
    return samples[bisect_left(samples, since, key=_start) : bisect_left(samples, until, key=_start)]


def summarize(
    samples: Iterable[Sample],
    marks: Sequence[Mark],
    *,
    began: float,
    ended: float,
    idle_closed: int = 0,
    skipped: int = 0,
    failures: Sequence[Failure] = (),
) -> Result:
    """Return the result of a run that sent requests from ``began`` to ``ended`` (monotonic seconds)."""
    ordered = sorted(samples, key=_start)
    by_kind = {kind: [s for s in ordered if s.kind is kind] for kind in Kind}
    classes = {kind.value: _totals(found) for kind, found in by_kind.items() if found}
    bins, width = _timeline(ordered, began, ended)
    return Result(
        duration_s=round(ended - began, 3),
        requests=len(ordered),
        failed=sum(totals.failed for totals in classes.values()),
        failures_by_class=_failures(ordered),
        idle_closed=idle_closed,
        skipped=skipped,
        longest_gap_ms=_longest_gap(ordered, began, ended),
        classes=classes,
        versions=dict(Counter(s.version for s in ordered if s.outcome is Outcome.OK)),
        latency=fast_latency(ordered),
        switches=_switches(ordered, marks, began, ended),
        timeline=bins,
        bin_ms=round(width * 1e3, 3),
        first_failures=tuple(failures),
    )


def _failures(samples: Iterable[Sample]) -> dict[str, int]:
    return dict(Counter(s.outcome.value for s in samples if s.outcome is not Outcome.OK))


def _totals(samples: Sequence[Sample]) -> ClassTotals:
    failures = _failures(samples)
    return ClassTotals(len(samples), sum(failures.values()), failures, latency(samples))


def _longest_gap(samples: Iterable[Sample], began: float, ended: float) -> float:
    """Return the longest time within the run in which no fast user got a right answer (ms)."""
    answers = sorted(s.end for s in samples if s.kind is not Kind.SLOW and s.outcome is Outcome.OK)
    within = [began, *(at for at in answers if began < at < ended), ended]
    return round(max(later - earlier for earlier, later in pairwise(within)) * 1e3, 3)


def _switches(
    samples: Sequence[Sample], marks: Sequence[Mark], began: float, ended: float
) -> tuple[Switch, ...]:
    begins = sorted((m for m in marks if m.edge is Edge.BEGIN), key=lambda m: m.at)
    borders = [began, *(m.at for m in begins), max(ended, *(m.at for m in begins)) if begins else ended]
    found = []
    for index, mark in enumerate(begins, start=1):
        since, until = borders[index - 1], borders[index + 1]
        ends = [m.at for m in marks if m.edge is Edge.END and m.name == mark.name and mark.at <= m.at]
        seen = switch(samples, mark.at, min(ends, default=None), since, until)
        found.append((mark.name, seen))
    return tuple(_named(name, seen, began) for name, seen in found)


def _named(name: str, seen: Switch, began: float) -> Switch:
    return replace(seen, name=name, begin_ms=round((seen.begin_ms - began) * 1e3, 3))


def _timeline(samples: Sequence[Sample], began: float, ended: float) -> tuple[tuple[Bin, ...], float]:
    """Return the run in equal slices of at least 50 ms, and their width in seconds."""
    count = max(1, min(MAX_BINS, int((ended - began) / 0.05)))
    width = max(ended - began, 1e-6) / count
    return tuple(_bin(samples, began, began + index * width, width) for index in range(count)), width


def _bin(samples: Sequence[Sample], began: float, at: float, width: float) -> Bin:
    within = _started(samples, at, at + width)
    right = [s for s in within if s.outcome is Outcome.OK]
    times = fast_latency(right)
    return Bin(
        at_ms=round((at - began) * 1e3, 1),
        versions=dict(Counter(s.version for s in right)),
        failed=len(within) - len(right),
        p50_ms=times.p50_ms,
        p99_ms=times.p99_ms,
    )
