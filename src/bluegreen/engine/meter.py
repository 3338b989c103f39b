"""What users got of each color: every request that the balancer tells of is counted, here and nowhere else.

Rule: traffic never depends on it. A balancer that tells nothing is “not measured”, never zero.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import structlog

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.latency import Histogram, Traffic, Window
from bluegreen.domain.naming import PoolId
from bluegreen.ports.clock import Clock
from bluegreen.ports.requests import Batch, RequestLog

RETRY = 1.0

log = structlog.get_logger()


@dataclass(slots=True)
class Gauge:
    """One color: all there was since counting began, and the last minute."""

    window: Window
    total: Histogram = field(default_factory=Histogram)


class Meter:
    """``lost`` requests came faster than they were read, ``strange`` lines were not understood."""

    def __init__(
        self, source: RequestLog | None, clock: Clock, known: Callable[[], Collection[PoolId]]
    ) -> None:
        self._source = source
        self._clock = clock
        self._known = known
        self._gauges: dict[PoolId, Gauge] = {}
        self.lost = 0
        self.strange = 0

    @property
    def totals(self) -> dict[PoolId, Histogram]:
        return {pool: gauge.total for pool, gauge in self._gauges.items()}

    def traffic(self, pool: PoolId) -> Traffic | None:
        """Return the last minute of a color; ``None`` where nothing is measured or nobody asked."""
        gauge = self._gauges.get(pool)
        return None if gauge is None else gauge.window.traffic(self._clock.now())

    async def follow(self) -> None:
        """Count until cancelled, or until the balancer says that it tells nothing."""
        while self._source is not None:
            try:
                async for batch in self._source.requests():
                    self.take(batch)
                return
            except BluegreenError as error:
                log.warning("meter.deaf", error=error.message)
            await self._clock.wait(asyncio.Event(), RETRY)

    def take(self, batch: Batch) -> None:
        self.lost += batch.lost
        self.strange += batch.strange
        known, now = self._known(), self._clock.now()
        for one, times in batch.seen.items():
            if one.pool not in known:
                continue  # of a stack that is gone, or of a name that nobody gave
            gauge = self._gauges.setdefault(one.pool, Gauge(Window(since=now)))
            seconds, failed = one.milliseconds / 1000, one.status >= 500
            gauge.total.add(seconds, times, failed=failed)
            gauge.window.add(now, seconds, times, failed=failed)
