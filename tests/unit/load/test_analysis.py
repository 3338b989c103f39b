"""The formulas, on made-up samples whose answers can be checked by hand."""

from __future__ import annotations

import json

from bluegreen.load import Edge, Kind, Mark, Outcome, Result, Sample
from bluegreen.load.analysis import latency, percentile, summarize

BEGIN = 100.0


def ok(start: float, version: str, took: float = 0.010, kind: Kind = Kind.ONESHOT) -> Sample:
    return Sample(kind, start, start + took, version, Outcome.OK)


def bad(start: float, outcome: Outcome = Outcome.RESET, kind: Kind = Kind.ONESHOT) -> Sample:
    return Sample(kind, start, start + 0.010, "", outcome)


def summary(samples: list[Sample], marks: list[Mark] | None = None) -> Result:
    return summarize(samples, marks or [], began=BEGIN, ended=BEGIN + 10)


def switched_at(*moments: float, ends: tuple[float, ...] = ()) -> list[Mark]:
    begins = [Mark(f"switch {i}", Edge.BEGIN, at) for i, at in enumerate(moments, start=1)]
    return begins + [Mark(f"switch {i}", Edge.END, at) for i, at in enumerate(ends, start=1)]


def test_percentiles_are_nearest_rank():
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, share) for share in (1, 50, 95, 99, 100)] == [1, 50, 95, 99, 100]
    assert percentile([7.0], 99) == percentile([7.0], 1) == 7.0
    assert percentile([], 50) == 0.0


def test_failures_have_no_latency():
    seen = latency([ok(100, "1", 0.002), bad(101), ok(102, "1", 0.004)])
    assert (seen.count, seen.p50_ms, seen.max_ms) == (2, 2.0, 4.0)


def test_an_atomic_switch():
    samples = [ok(102.00, "old"), ok(103.02, "new", 0.005), ok(104.0, "new")]
    (seen,) = summary(samples, switched_at(103.0, ends=(103.01,))).switches
    assert (seen.name, seen.old, seen.new, seen.begin_ms) == ("switch 1", "old", "new", 3000.0)
    assert (seen.command_ms, seen.first_new_ms) == (10.0, 25.0)
    assert (seen.mixed_ms, seen.stale, seen.requests, seen.failed) == (0.0, 0, 2, 0)


def test_old_answers_before_the_first_new_one_are_not_mixed():
    samples = [ok(102, "old"), ok(103.1, "old"), ok(103.2, "old"), ok(103.3, "new")]
    (seen,) = summary(samples, switched_at(103.0)).switches
    assert (seen.mixed_ms, seen.stale, seen.command_ms) == (0.0, 0, None)
    assert seen.first_new_ms == 310.0


def test_a_mixed_window_runs_from_the_first_new_start_to_the_last_old_start():
    samples = [
        ok(102, "old"),
        ok(103.1, "new"),
        ok(103.2, "old"),
        ok(103.4, "new"),
        ok(103.5, "old"),
        ok(104, "new"),
    ]
    (seen,) = summary(samples, switched_at(103.0)).switches
    assert (seen.mixed_ms, seen.stale) == (400.0, 2)


def test_a_request_on_its_way_when_the_next_switch_begins_may_belong_to_that_one():
    samples = [ok(102, "a"), ok(103.1, "b"), ok(103.499, "a"), ok(103.6, "a"), ok(104, "a")]
    there, back = summary(samples, switched_at(103.0, 103.5)).switches
    assert (there.new, there.mixed_ms, there.stale) == ("b", 0.0, 0)
    assert (back.old, back.new, back.stale) == ("b", "a", 0)


def test_a_request_that_was_sent_long_before_the_next_switch_is_not_excused():
    samples = [ok(102, "a"), ok(103.1, "b"), ok(103.3, "a", 0.5), ok(103.6, "a"), ok(104, "a")]
    there, _ = summary(samples, switched_at(103.0, 103.5)).switches
    assert there.stale == 1


def test_overlapping_requests_are_mixed_by_a_little_but_never_stale():
    samples = [ok(102, "old"), ok(103.000, "new", 0.010), ok(103.004, "old", 0.010)]
    (seen,) = summary(samples, switched_at(103.0)).switches
    assert (seen.mixed_ms, seen.stale) == (4.0, 0)


def test_a_slow_request_that_was_in_flight_belongs_to_the_old_version():
    samples = [ok(102, "old"), ok(102.9, "old", 1.5, Kind.SLOW), ok(103.1, "new"), ok(104.5, "new")]
    (seen,) = summary(samples, switched_at(103.0)).switches
    assert (seen.mixed_ms, seen.stale, seen.requests) == (0.0, 0, 3)


def test_a_slow_answer_from_two_switches_ago_is_not_taken_for_new():
    samples = [
        ok(101, "green"),
        ok(101.9, "green", 1.5, Kind.SLOW),
        ok(102.1, "blue"),
        ok(103.2, "blue"),
        ok(103.5, "green"),
    ]
    first, second = summary(samples, switched_at(102.0, 103.0)).switches
    assert (first.old, first.new, first.first_new_ms) == ("green", "blue", 110.0)
    assert (second.old, second.new, second.first_new_ms) == ("blue", "green", 510.0)


def test_a_switch_that_never_arrived():
    (seen,) = summary([ok(102, "old"), ok(103.5, "old")], switched_at(103.0)).switches
    assert (seen.old, seen.new, seen.first_new_ms, seen.mixed_ms, seen.stale) == ("old", None, None, 0.0, 0)


def test_a_switch_without_any_answer_before():
    (seen,) = summary([bad(102), ok(103.5, "new")], switched_at(103.0)).switches
    assert (seen.old, seen.new) == ("", "new")


def test_failures_in_flight_and_later_count_for_the_switch():
    samples = [bad(101), ok(102, "old"), bad(102.995), bad(103.2), ok(103.5, "new"), bad(106)]
    first, second = summary(samples, switched_at(103.0, 105.0)).switches
    assert (first.failed, second.failed) == (2, 1)


def test_windows_before_during_after():
    samples = [ok(100 + n / 10, "old" if n < 30 else "new", 0.001 * (n + 1)) for n in range(100)]
    (seen,) = summary(samples, switched_at(103.0, ends=(103.95,))).switches
    assert (seen.before.count, seen.during.count, seen.after.count) == (30, 10, 60)
    assert (seen.before.max_ms, seen.during.max_ms, seen.after.max_ms) == (30.0, 40.0, 100.0)


def test_slow_users_do_not_blur_the_latency_of_the_others():
    result = summary(
        [ok(101, "1", 0.002), ok(101, "1", 1.5, Kind.SLOW), bad(102, Outcome.TIMEOUT, Kind.SLOW)]
    )
    assert result.latency.max_ms == 2.0
    assert result.classes["slow"].latency.max_ms == 1500.0
    assert (result.failed, result.classes["slow"].failures) == (1, {"timeout": 1})


def test_the_longest_gap_covers_the_edges_of_the_run():
    assert summary([ok(101, "1", 0.0), ok(102, "1", 0.0)]).longest_gap_ms == 8000.0
    assert summary([ok(107, "1", 0.0), ok(109, "1", 0.0)]).longest_gap_ms == 7000.0
    assert summary([bad(105)]).longest_gap_ms == 10_000.0


def test_the_timeline_counts_every_request_once():
    samples = [ok(100 + n * 0.0999, "1" if n % 2 else "2") for n in range(100)] + [bad(105)]
    result = summary(samples)
    assert sum(sum(b.versions.values()) for b in result.timeline) == 100
    assert sum(b.failed for b in result.timeline) == 1
    assert result.bin_ms * len(result.timeline) == 10_000.0


def test_nothing_happened():
    result = summary([], switched_at(103.0))
    assert (result.requests, result.failed, result.versions) == (0, 0, {})
    assert result.switches[0].new is None


def test_a_result_survives_json():
    samples = [ok(102, "old"), ok(103.2, "new"), bad(104, kind=Kind.POST)]
    result = summary(samples, switched_at(103.0, ends=(103.1,)))
    assert Result.from_dict(json.loads(json.dumps(result.to_dict()))) == result
