"""How long users wait, as counts in fixed buckets: what percentiles are read from. Pure.

Buckets are those of Prometheus' convention: upper bounds in seconds, the last one without a bound. Counts
of different times and places can be added; single waiting times are not kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

SLOT = 10.0
"""Seconds that are counted together."""

SLOTS = 6
"""So many of them are “the last minute”: the one that runs, and those before it."""


@dataclass(slots=True)
class Histogram:
    """``counts`` per bucket (the last: beyond all bounds), ``seconds`` waited in sum, ``failed`` of them."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0
    failed: int = 0

    @property
    def requests(self) -> int:
        return sum(self.counts)

    def add(self, seconds: float, times: int = 1, *, failed: bool = False) -> None:
        """Count ``times`` requests that waited ``seconds``."""
        self.counts[bisect_left(BUCKETS, seconds)] += times
        self.seconds += seconds * times
        self.failed += times if failed else 0

    def quantile(self, share: float) -> float | None:
        """Return the seconds within which ``share`` (0 to 1) of the requests were answered.

        Within a bucket they are taken to be spread evenly, as Prometheus' ``histogram_quantile`` does;
        beyond the last bound nothing is known but that bound. ``None`` without a request.
        """
        rank = share * self.requests
        if not self.requests:
            return None
        below = 0
        for bucket, (count, bound) in enumerate(zip(self.counts, BUCKETS, strict=False)):
            if count and below + count >= rank:
                floor = BUCKETS[bucket - 1] if bucket else 0.0
                return floor + (bound - floor) * max(0.0, rank - below) / count
            below += count
        return BUCKETS[-1]


def merged(parts: Iterable[Histogram]) -> Histogram:
    whole = Histogram()
    for part in parts:
        whole.counts = [a + b for a, b in zip(whole.counts, part.counts, strict=True)]
        whole.seconds += part.seconds
        whole.failed += part.failed
    return whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The requests of the last minute: per second, the share (0 to 1) that was answered with 5xx, and the
    seconds within which half and 95 % of them were answered."""

    rate: float
    errors: float
    p50: float
    p95: float


@dataclass(slots=True)
class Window:
    """The last minute in slots of ten seconds. ``since`` is when counting began (UNIX seconds)."""

    since: float
    _slots: deque[tuple[int, Histogram]] = field(default_factory=lambda: deque(maxlen=SLOTS))

    def add(self, now: float, seconds: float, times: int = 1, *, failed: bool = False) -> None:
        slot = int(now // SLOT)
        if not self._slots or self._slots[-1][0] < slot:  # a clock that went back counts on where it was
            self._slots.append((slot, Histogram()))
        self._slots[-1][1].add(seconds, times, failed=failed)

    def traffic(self, now: float) -> Traffic | None:
        """Return what the last minute was like; ``None`` without a request in it."""
        first = int(now // SLOT) - SLOTS + 1
        minute = merged(part for slot, part in self._slots if slot >= first)
        p50, p95 = minute.quantile(0.5), minute.quantile(0.95)
        if p50 is None or p95 is None:
            return None
        return Traffic(
            rate=minute.requests / max(1.0, now - max(first * SLOT, self.since)),
            errors=minute.failed / minute.requests,
            p50=p50,
            p95=p95,
        )


def wait_in_words(seconds: float) -> str:
    """Return ``0.8 ms``, ``42 ms``, ``1.3 s``; ``10 s or more`` where nothing closer is known."""
    if seconds >= BUCKETS[-1]:
        return f"{BUCKETS[-1]:g} s or more"
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"


def share_in_words(share: float) -> str:
    """Return a share (0 to 1) in percent; a small one never looks like none."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    return f"{share:.1%}".replace("%", " %") if 0 < share < 0.1 else f"{share:.0%}".replace("%", " %")


def rate_in_words(rate: float) -> str:
    return f"{rate:.1f}/s" if rate < 10 else f"{rate:.0f}/s"
