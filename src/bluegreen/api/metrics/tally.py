"""What was counted since the controller started: rollouts and how long they took, events, the loop's lag."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from bluegreen.domain.events import Event
from bluegreen.domain.rollout import Rollout
from bluegreen.engine.bus import Behind
from bluegreen.engine.engine import Engine

_SECONDS = (0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_BEAT = 1.0


class Tally:
    """Counts from :meth:`count` on; ``registry`` holds what a scrape is told."""

    def __init__(self, engine: Engine) -> None:
        self.registry = CollectorRegistry()
        self._engine = engine
        ProcessCollector(registry=self.registry)
        self._rollouts = Counter(
            "bluegreen_rollouts",
            "Rollouts that have ended, by what kind and in which phase.",
            ("stack", "service", "kind", "phase"),
            registry=self.registry,
        )
        self._until_live = Histogram(
            "bluegreen_rollout_until_live_seconds",
            "From the command until all traffic was on the new color.",
            ("kind",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._events = Counter(
            "bluegreen_events", "Events, by kind.", ("kind", "level"), registry=self.registry
        )
        self._lag = Gauge(
            "bluegreen_loop_lag_seconds",
            "How much later than it was to the controller's loop came to its turn, at the last look.",
            registry=self.registry,
        )
        self.registry.register(_Inside(engine))

    async def count(self) -> None:
        """Count until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_at_the_loop())
            while True:
                with suppress(Behind), self._engine.bus.listen() as events:
                    while True:
                        self._take(await events.get())

    def _take(self, event: Event) -> None:
        self._events.labels(event.kind, event.level).inc()
        rollout = self._engine.ledger.recent.get(event.rollout)
        if rollout is not None and event.kind in _ENDS:
            self._ended(rollout)

    def _ended(self, rollout: Rollout) -> None:
        self._rollouts.labels(rollout.stack, rollout.service, rollout.kind, rollout.phase).inc()
        if rollout.shifted_at:
            self._until_live.labels(rollout.kind).observe(max(0.0, rollout.shifted_at - rollout.created_at))

    async def _look_at_the_loop(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(_BEAT)
            self._lag.set(max(0.0, time.monotonic() - began - _BEAT))


_ENDS = frozenset({"rollout.closed", "rollout.retired", "rollout.cleaned", "rollout.reverted"})
"""The last event of a rollout."""


class _Inside:
    """Tells what the engine counts by itself."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        yield self._unmeasured()
        yield self._probes()
        yield GaugeMetricFamily(
            "bluegreen_service_loops", "Services that the controller looks after.", value=self._engine.loops
        )

    def _unmeasured(self) -> Metric:
        family = CounterMetricFamily(
            "bluegreen_requests_unmeasured",
            "Lines about requests that came faster than they were read (lost), or made no sense (strange).",
            labels=("why",),
        )
        family.add_metric(("lost",), self._engine.meter.lost)
        family.add_metric(("strange",), self._engine.meter.strange)
        return family

    def _probes(self) -> Metric:
        family = CounterMetricFamily(
            "bluegreen_probes",
            "The controller's own probes: whether an instance is ready, or alive, and what came of it.",
            labels=("stack", "service", "purpose", "outcome"),
        )
        for (key, purpose, outcome), times in self._engine.examiner.asked.items():
            if key in self._engine.ledger.services:
                family.add_metric((*key, purpose, outcome), times)
        return family
