"""What the balancer has counted of late, by color: the memory behind a chart.

It grows only while somebody looks, and one look serves all who look in the same second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bluegreen.domain.naming import Color, color_of
from bluegreen.domain.routing import PoolFacts

WINDOW = 120.0
"""Seconds that are remembered."""

FRESH = 0.8
"""Seconds for which a look is as good as a new one."""

CHARTS = 200
"""Services that are remembered; beyond, the one that nobody looked at for longest goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Since the balancer counts: it may begin anew."""

    requests: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """``at`` is UNIX seconds."""

    at: float
    colors: Mapping[Color, Count]


@dataclass(slots=True)
class Counters:
    _of: dict[tuple[str, str], deque[Sample]] = field(default_factory=dict)

    def due(self, key: tuple[str, str], now: float) -> bool:
        """Whether the balancer is to be asked."""
        kept = self._of.get(key)
        return not kept or now - kept[-1].at >= FRESH

    def take(self, key: tuple[str, str], now: float, pools: Iterable[PoolFacts]) -> None:
        seen = list(pools)
        colors = {color: _sum(p for p in seen if color_of(p.id) is color) for color in Color}
        kept = self._of.pop(key, deque())
        while kept and kept[0].at < now - WINDOW:
            kept.popleft()
        kept.append(Sample(at=now, colors=colors))
        while len(self._of) >= CHARTS:
            del self._of[next(iter(self._of))]
        self._of[key] = kept

    def since(self, key: tuple[str, str], after: float) -> list[Sample]:
        """Return the samples that are newer than ``after``, oldest first."""
        return [sample for sample in self._of.get(key, ()) if sample.at > after]


def _sum(pools: Iterable[PoolFacts]) -> Count:
    found = list(pools)
    return Count(requests=sum(p.requests for p in found), errors=sum(p.errors for p in found))
