"""The report: a golden text, and what must hold for any result."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from bluegreen.load import Edge, Failure, Kind, Mark, Outcome, Result, Sample
from bluegreen.load.analysis import summarize
from bluegreen.load.report import ASCII, COLOR, UNICODE, Style, render, style_for

GOLDEN = Path(__file__).parent / "golden"


def run(*, failing: bool = False, versions: tuple[str, str] = ("0.0.1", "0.0.2")) -> Result:
    """A made-up run of 10 s: two switches, a ripple of latency at the first."""
    samples = []
    for n in range(4000):
        start, kind = n / 400, (Kind.KEEPALIVE, Kind.ONESHOT, Kind.POST, Kind.KEEPALIVE)[n % 4]
        version = versions[1] if 4 <= start < 7 else versions[0]
        took = 0.001 + (n % 10) / 10_000 + (0.004 if 4 <= start < 4.1 else 0)
        outcome = Outcome.RESET if failing and 4 <= start < 4.02 else Outcome.OK
        samples.append(Sample(kind, start, start + took, version, outcome))
    samples += [Sample(Kind.SLOW, n / 2, n / 2 + 1.5, versions[0], Outcome.OK) for n in range(4)]
    marks = [
        Mark("green → blue", Edge.BEGIN, 4.0),
        Mark("green → blue", Edge.END, 4.003),
        Mark("rollback", Edge.BEGIN, 7.0),
    ]
    failures = [Failure("oneshot", "reset", 4001.2, "", "Connection reset by peer\x1b[2J")] if failing else []
    return summarize(samples, marks, began=0.0, ended=10.0, failures=failures)


@pytest.mark.parametrize(
    ("name", "style", "failing"),
    [("ascii", ASCII, False), ("unicode", UNICODE, False), ("ascii-failing", ASCII, True)],
)
def test_golden(name: str, style: Style, failing: bool):
    assert render(run(failing=failing), 80, style) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [10, 60, 80, 120])
@pytest.mark.parametrize("style", [ASCII, UNICODE])
@pytest.mark.parametrize("failing", [False, True])
def test_no_line_is_wider_than_asked(width, style, failing):
    long = ("a-version-name-longer-than-any-label-" * 3, "b" * 90)
    for result in (run(failing=failing), run(failing=failing, versions=long)):
        assert max(map(len, render(result, width, style).splitlines())) <= max(60, width)


def test_ascii_is_ascii_and_color_is_only_color():
    assert render(run(failing=True), style=ASCII).isascii()
    assert "\x1b" not in render(run(), style=UNICODE)
    assert "\x1b[" in render(run(), style=COLOR)


def test_evidence_cannot_steer_the_terminal():
    assert "\x1b" not in render(run(failing=True), style=UNICODE)


def test_a_single_failure_is_visible_in_the_plot():
    text = render(run(failing=True), style=ASCII)
    lane = next(line for line in text.splitlines() if line.startswith("failed"))
    assert lane[9:60].strip()


def test_an_empty_run_can_be_shown():
    assert "0 requests" in render(summarize([], [], began=0.0, ended=0.0))


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "style"),
    [
        (Terminal(), {}, COLOR),
        (Terminal(), {"NO_COLOR": "1"}, ASCII),
        (Terminal(), {"TERM": "dumb"}, ASCII),
        (io.StringIO(), {}, ASCII),
    ],
)
def test_style_follows_the_stream(stream, environ, style):
    assert style_for(stream, environ) == style
