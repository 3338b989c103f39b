"""Percentiles from buckets: never outside what was seen, in order, and the same as of the whole."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.domain.latency import BUCKETS, SLOT, SLOTS, Histogram, Window, merged

waits = st.lists(st.floats(0, 30), min_size=1, max_size=50)
shares = st.floats(0, 1)


def filled(seconds: list[float]) -> Histogram:
    histogram = Histogram()
    for one in seconds:
        histogram.add(one)
    return histogram


@given(waits, shares)
def test_a_percentile_is_in_the_bucket_of_the_request_it_stands_for(
    seconds: list[float], share: float
) -> None:
    found = filled(seconds).quantile(share)
    assert found is not None
    rank = max(1, -int(-share * len(seconds) // 1))
    bucket = bisect_left(BUCKETS, sorted(seconds)[min(rank, len(seconds)) - 1])
    floor = BUCKETS[bucket - 1] if bucket else 0.0
    bound = BUCKETS[bucket] if bucket < len(BUCKETS) else BUCKETS[-1]
    assert floor - 1e-9 <= found <= bound + 1e-9


@given(waits, shares, shares)
def test_a_larger_share_waits_no_shorter(seconds: list[float], one: float, other: float) -> None:
    histogram = filled(seconds)
    low, high = histogram.quantile(min(one, other)), histogram.quantile(max(one, other))
    assert low is not None
    assert high is not None
    assert low <= high + 1e-9


@given(waits, waits)
def test_parts_add_up_to_the_whole(some: list[float], others: list[float]) -> None:
    whole, parts = filled(some + others), merged([filled(some), filled(others)])
    assert parts.counts == whole.counts
    assert parts.seconds == pytest.approx(whole.seconds)
    assert parts.quantile(0.95) == whole.quantile(0.95)


@given(st.lists(st.tuples(st.floats(0, 300), st.booleans()), max_size=60), st.floats(0, 300))
def test_the_window_holds_the_last_minute_and_nothing_else(
    asked: list[tuple[float, bool]], later: float
) -> None:
    window, now = Window(since=0.0), max([at for at, _ in asked], default=0.0) + later
    for at, failed in sorted(asked):
        window.add(at, 0.02, failed=failed)
    first = int(now // SLOT) - SLOTS + 1
    recent = [failed for at, failed in asked if at // SLOT >= first]
    traffic = window.traffic(now)
    if not recent:
        assert traffic is None
        return
    assert traffic is not None
    assert traffic.errors == pytest.approx(sum(recent) / len(recent))
    assert traffic.rate == pytest.approx(len(recent) / max(1.0, now - max(0, first * SLOT)))
    assert 0.01 <= traffic.p50 <= traffic.p95 <= 0.025


def test_percentiles_are_interpolated_as_prometheus_does() -> None:
    histogram = Histogram()
    histogram.add(0.008, 50)
    histogram.add(0.2, 50)
    assert histogram.quantile(0.25) == pytest.approx(0.0075)
    assert histogram.quantile(0.75) == pytest.approx(0.175)
    assert filled([11.0]).quantile(0.5) == 10.0
    assert Histogram().quantile(0.5) is None


def test_a_clock_that_goes_back_loses_nothing() -> None:
    window = Window(since=0.0)
    window.add(100.0, 0.02)
    window.add(50.0, 0.02)
    traffic = window.traffic(101.0)
    assert traffic is not None
    assert traffic.rate == pytest.approx(2 / (101 - 50))
