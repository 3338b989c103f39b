"""What is true now, as families of metrics. Pure: from what people see (:mod:`bluegreen.engine.views`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from bluegreen.domain.latency import BUCKETS, Histogram
from bluegreen.domain.naming import PoolId, color_of, service_of, stack_of
from bluegreen.domain.routing import BalancerFacts
from bluegreen.engine.views import StatusView

_POOL = ("stack", "service", "color")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Snapshot:
    """A collector of prometheus_client for one scrape. Without ``facts`` the balancer did not answer.

    ``measured`` is what users waited for each color, as far as the balancer tells.
    """

    view: StatusView
    facts: BalancerFacts | None
    measured: Mapping[PoolId, Histogram]

    def collect(self) -> Iterator[Metric]:
        services = {(s.stack, s.name) for s in self.view.services}
        yield from _traffic(self.facts, services)
        yield from _measured(self.measured, services)
        yield from _services(self.view)
        yield from _routes(self.view)
        yield from _surroundings(self.view, self.facts)


def _traffic(facts: BalancerFacts | None, services: set[tuple[str, str]]) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "bluegreen_requests", "Requests that the balancer gave to a color.", labels=_POOL
    )
    errors = CounterMetricFamily(
        "bluegreen_request_errors", "Of these, those that failed or were answered with 5xx.", labels=_POOL
    )
    in_flight = GaugeMetricFamily(
        "bluegreen_requests_in_flight", "Requests that are being served or wait.", labels=_POOL
    )
    for pool in facts.pools.values() if facts is not None else ():
        labels = (stack_of(pool.id), service_of(pool.id), color_of(pool.id))
        if labels[:2] in services:
            requests.add_metric(labels, pool.requests)
            errors.add_metric(labels, pool.errors)
            in_flight.add_metric(labels, pool.in_flight)
    yield from (requests, errors, in_flight)


def _measured(measured: Mapping[PoolId, Histogram], services: set[tuple[str, str]]) -> Iterator[Metric]:
    waits = HistogramMetricFamily(
        "bluegreen_request_duration_seconds",
        "What users waited until the answer began, repeated attempts included.",
        labels=_POOL,
    )
    failures = CounterMetricFamily(
        "bluegreen_request_duration_failures",
        "Of these requests, those that were answered with 5xx.",
        labels=_POOL,
    )
    bounds = [*(str(float(bound)) for bound in BUCKETS), "+Inf"]
    for pool, one in measured.items():
        labels = (stack_of(pool), service_of(pool), color_of(pool))
        if labels[:2] in services:
            counts = accumulate(one.counts)
            waits.add_metric(labels, list(zip(bounds, counts, strict=True)), one.seconds)
            failures.add_metric(labels, one.failed)
    yield from (waits, failures)


def _services(view: StatusView) -> Iterator[Metric]:
    found = Counter((i.stack, i.service, i.color, i.state, i.rotation) for i in view.instances)
    yield _gauge(
        "bluegreen_instances",
        "Instances, by what the runtime says of them and whether they get requests.",
        (*_POOL, "state", "rotation"),
        found.items(),
    )
    restarts = CounterMetricFamily(
        "bluegreen_instance_restarts", "Restarts of the instances there are.", labels=_POOL
    )
    times: Counter[tuple[str, str, str]] = Counter()
    for one in view.instances:
        times[one.stack, one.service, one.color] += one.restarts
    for labels, count in times.items():
        restarts.add_metric(labels, count)
    yield restarts
    yield _gauge(
        "bluegreen_instances_wanted",
        "Instances that each color is to have.",
        ("stack", "service"),
        (((s.stack, s.name), s.replicas) for s in view.services),
    )
    yield _gauge(
        "bluegreen_live_release",
        "Number of the release that is live.",
        _POOL,
        (((s.stack, s.name, s.live_color), s.live_release) for s in view.services if s.live_release),
    )
    yield _gauge(
        "bluegreen_alarm",
        "1 for what a person is to look at, with its code.",
        ("stack", "service", "code"),
        (((s.stack, s.name, s.alarm), 1) for s in view.services if s.alarm),
    )
    yield _gauge(
        "bluegreen_rollout_running",
        "1 for each rollout that is under way, with its phase, and its id as in logs, events and audit.",
        ("stack", "service", "kind", "phase", "rollout"),
        (((r.stack, r.service, r.kind, r.phase, r.id), 1) for r in view.rollouts),
    )


def _routes(view: StatusView) -> Iterator[Metric]:
    yield _gauge(
        "bluegreen_route_share",
        "Percent of a route's requests that a color gets.",
        ("stack", "route", "service", "color"),
        (
            ((route.stack, route.name, service_of(pool), color_of(pool)), share)
            for route in view.routes
            for pool, share in route.weights.items()
        ),
    )
    yield _gauge(
        "bluegreen_route_maintenance",
        "1 for a route that a person has closed.",
        ("stack", "route"),
        (((route.stack, route.name), 1) for route in view.routes if route.maintenance is not None),
    )


def _surroundings(view: StatusView, facts: BalancerFacts | None) -> Iterator[Metric]:
    idle = not view.routes
    yield _gauge(
        "bluegreen_balancer_up",
        "Whether the balancer tells what it does; 1 where there is nothing to balance.",
        (),
        [((), int(facts is not None or idle))],
    )
    yield _gauge(
        "bluegreen_registry_up",
        "Whether the registry knows what it is to know; 1 where there is none.",
        (),
        [((), int(view.registry_since is None))],
    )
    yield _gauge(
        "bluegreen_box_behind",
        "Whether a balancer on another box does not carry yet what was published last.",
        ("stack", "box"),
        (((box.stack, box.name), int(box.behind)) for box in view.boxes),
    )
    yield _gauge(
        "bluegreen_box_lost",
        "Whether a balancer on another box that followed is not heard of: no old color is ended meanwhile.",
        ("stack", "box"),
        (((box.stack, box.name), int(box.lost)) for box in view.boxes),
    )


def _gauge(
    name: str, about: str, labels: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    family = GaugeMetricFamily(name, about, labels=labels)
    for values, number in rows:
        family.add_metric([str(value) for value in values], number)
    return family
