"""``top``: one frame, a document per frame, and a terminal that is drawn and given back."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

from bluegreen.cli.frame import Rates, counts, frame
from tests.unit.cli import fake_controller as fake
from tests.unit.cli.conftest import Run

COLOR = {"color": "blue", "release": 3, "image": "shop/web:3", "wanted": 2, "running": 2, "serving": 1}
COLOR |= {"in_flight": 4, "share": 100}
SERVICE = {"name": "web", "stack": "shop", "state": "Running", "live_color": "blue", "colors": [COLOR]}
ROLLOUT = fake.rollout(phase="proving", since=0.0)
STATUS: dict[str, Any] = {"services": [SERVICE], "rollouts": [ROLLOUT], "balancer": ""}
LINE = 'bluegreen_requests_total{color="blue",service="web",stack="shop"} %s\n'


def _tell(controller: fake.FakeController, status: dict[str, Any] = STATUS) -> None:
    controller.on("GET /v1/status", fake.document(status))
    controller.on("GET /metrics", *(fake.raw(200, (LINE % n).encode()) for n in ("100.0", "1e+03")))
    controller.on("GET /v1/events/stream", fake.stream())


def test_once_is_one_frame(controller: fake.FakeController, run: Run) -> None:
    _tell(controller)
    shown = run("top", "--once")
    assert shown.exit_code == 0, shown
    for words in ("web.shop", "● blue", "r3", "1/2", "100 %", "rollout abc123: deploy to web.green, proving"):
        assert words in shown.stdout, shown.stdout
    (found,) = [json.loads(run("top", "--once", "--json").stdout)]
    assert found["services"][0]["colors"][0]["in_flight"] == 4


def test_what_does_not_run_and_a_balancer_that_is_silent_are_told(
    controller: fake.FakeController, run: Run
) -> None:
    stopped = SERVICE | {"state": "Stopped", "colors": []}
    _tell(controller, {"services": [stopped], "rollouts": [], "balancer": "it is gone"})
    shown = run("top", "--once").stdout
    assert "Stopped" in shown
    assert "it is gone" in shown


def test_rates_take_two_looks_and_are_none_where_the_balancer_began_anew() -> None:
    rates, own = Rates(), ("shop", "web", "blue")
    assert rates.take(10.0, counts(LINE % "100.0")) == {}
    assert rates.take(12.0, counts("# HELP x\n" + LINE % "1e+03")) == {own: 450.0}
    assert rates.take(14.0, counts(LINE % "5.0")) == {}


def test_what_the_balancer_measured_is_shown_instead() -> None:
    measured = {"rate": 7.0, "errors": 0.25, "p50": 0.01, "p95": 0.2}
    status = STATUS | {"services": [SERVICE | {"colors": [COLOR | {"traffic": measured}]}]}
    (color,) = frame(1.0, status, {("shop", "web", "blue"): 1.0})["services"][0]["colors"]
    assert {key: color[key] for key in measured} == measured
    (color,) = frame(1.0, STATUS, {("shop", "web", "blue"): 1.0})["services"][0]["colors"]
    assert (color["rate"], color["p95"]) == (1.0, None)


def test_without_a_terminal_it_says_what_to_do(controller: fake.FakeController, run: Run) -> None:
    _tell(controller)
    refused = run("top")
    assert refused.exit_code == 2
    assert "no_terminal" in refused.stderr
    assert "bluegreen top --once" in refused.stderr


def test_on_a_terminal_it_draws_until_q(controller: fake.FakeController, home: Path) -> None:
    _tell(controller)
    ours, theirs = pty.openpty()
    process = _top(home, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    while b"web.shop" not in seen:
        seen += os.read(ours, 65_536)
    os.write(ours, b"q")
    while b"\x1b[?1049l" not in seen:
        seen += os.read(ours, 65_536)
    assert process.wait(30) == 0
    os.close(ours)


def test_with_json_there_is_a_document_for_each_frame(controller: fake.FakeController, home: Path) -> None:
    _tell(controller)
    event = fake.progress(1, "something")
    controller.on("GET /v1/events/stream", fake.stream(event), fake.stream())
    process = _top(home, "--json", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None
    first, second = (json.loads(process.stdout.readline()) for _ in range(2))
    process.terminate()
    process.communicate(timeout=30)
    assert first["services"][0]["colors"][0]["rate"] is None
    assert second["services"][0]["colors"][0]["rate"] > 0


def _top(home: Path, *words: str, **streams: Any) -> subprocess.Popen[bytes]:
    environment = {"BLUEGREEN_HOME": str(home), "PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "150"}
    return subprocess.Popen([sys.executable, "-m", "bluegreen", "top", *words], env=environment, **streams)
