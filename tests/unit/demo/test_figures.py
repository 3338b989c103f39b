"""The demo's verdict and its JSON object, on made-up runs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bluegreen.demo.figures import Figures
from bluegreen.load import Edge, Kind, Mark, Outcome, Result, Sample
from bluegreen.load.analysis import summarize

KEYS = [
    *("requests", "failed", "failures_by_class", "switch_ms", "first_new_ms", "mixed_ms"),
    *("p99_before_ms", "p99_during_ms", "p99_after_ms", "from", "to", "runtime", "balancer"),
]


def run(versions: tuple[str, str, str], outcome: Outcome = Outcome.OK) -> Result:
    """Return a run of 3 s: one request each 10 ms, switched at 1 s and 2 s; one may fail at 1.5 s."""
    samples = []
    for index in range(300):
        at = index / 100
        failed = outcome is not Outcome.OK and index == 150
        samples.append(
            Sample(Kind.KEEPALIVE, at, at + 0.002, versions[index // 100], outcome if failed else Outcome.OK)
        )
    marks = [
        Mark("green → blue", Edge.BEGIN, 1.0),
        Mark("green → blue", Edge.END, 1.2),
        Mark("rollback", Edge.BEGIN, 2.0),
        Mark("rollback", Edge.END, 2.1),
    ]
    return summarize(samples, marks, began=0.0, ended=3.0)


def figures(result: Result) -> Figures:
    return Figures(result=result, runtime="process", balancer="haproxy")


def test_a_good_run_is_told_in_one_json_object() -> None:
    found = figures(run(("0.0.1", "0.0.2", "0.0.1")))
    document = json.loads(json.dumps(found.document()))
    assert list(document)[: len(KEYS)] == KEYS
    assert (document["from"], document["to"]) == ("0.0.1", "0.0.2")
    assert (document["back"]["from"], document["back"]["to"]) == ("0.0.2", "0.0.1")
    assert document["switch_ms"] == 200.0
    assert (document["requests"], document["failed"], document["failures_by_class"]) == (300, 0, {})
    assert found.exit_code == 0
    assert found.sentence().endswith("300 requests, 0 failed")


def test_one_failed_request_fails_the_demo() -> None:
    found = figures(run(("0.0.1", "0.0.2", "0.0.1"), Outcome.RESET))
    assert found.document()["failures_by_class"] == {"reset": 1}
    assert found.exit_code == 1
    assert found.sentence().endswith("1 failed")


@pytest.mark.parametrize(
    "versions", [("0.0.1", "0.0.1", "0.0.1"), ("0.0.1", "0.0.2", "0.0.2"), ("0.0.1", "0.0.2", "0.0.3")]
)
def test_traffic_that_does_not_move_as_told_fails_the_demo(versions: tuple[str, str, str]) -> None:
    found = figures(run(versions))
    assert found.exit_code == 1
    assert "did not move" in found.sentence()


def test_a_switch_without_any_new_answer_is_null_not_zero() -> None:
    result = run(("0.0.1", "0.0.1", "0.0.1"))
    unseen = replace(result, switches=tuple(replace(s, command_ms=None) for s in result.switches))
    document = figures(unseen).document()
    assert (document["to"], document["first_new_ms"], document["switch_ms"]) == (None, None, None)
