"""Following a rollout: what is told, what it ends with, and the controller's death in the middle."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from bluegreen.cli import following, streams
from tests.unit.cli import fake_controller as fake
from tests.unit.cli.conftest import Run
from tests.unit.cli.paper_clock import PaperClock

DEPLOY, STREAM = "POST /v1/services/web/deploy", "GET /v1/rollouts/abc123/stream"
BEGUN = fake.document({"rollout": fake.rollout()}, 202)
REASON = {
    "code": "never_healthy",
    "message": "0 of 2 instances healthy after 60 s",
    "evidence": [["last probe", "GET /ping → 500"], ["last log lines", "boot\nno database"]],
    "hint": "Mend the release, then deploy again.",
}


def _outcome(code: int, said: str, **fields: Any) -> str:
    return fake.message("outcome", fake.ended(code, said, **fields))


def _well(controller: fake.FakeController) -> None:
    controller.on(DEPLOY, BEGUN)
    told = (
        fake.progress(1, "deploy: release 2 to web.green"),
        fake.progress(2, "web.green has all the traffic"),
    )
    controller.on(STREAM, fake.stream(*told, _outcome(0, "web.green has all the traffic")))


def test_a_deploy_that_goes_well(controller: fake.FakeController, run: Run) -> None:
    _well(controller)
    result = run("deploy", "web", "--image", "shop/web:2", "-e", "A=1")
    assert result.exit_code == 0
    assert result.stdout == "web.green has all the traffic (release 2) after 1.5 s\n"
    assert result.stderr == (
        "00:16:40  deploy: release 2 to web.green\n00:16:40  web.green has all the traffic\n"
    )
    assert controller.asked(DEPLOY)[0].body == {"image": "shop/web:2", "environment": {"A": "1"}}
    assert controller.asked(STREAM)[0].query == {"until": "settled"}


def test_json_is_one_document_and_quiet_is_quiet(controller: fake.FakeController, run: Run) -> None:
    _well(controller)
    result = run("deploy", "web", "--json", "--quiet")
    assert json.loads(result.stdout)["rollout"]["outcome"]["exit_code"] == 0
    assert result.stderr == ""


@pytest.mark.parametrize("code", [1, 3, 4])
def test_a_failure_shows_why_with_its_evidence(controller: fake.FakeController, run: Run, code: int) -> None:
    controller.on(DEPLOY, BEGUN)
    controller.on(STREAM, fake.stream(_outcome(code, "failed before any traffic moved", reason=REASON)))
    result = run("deploy", "web")
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr == (
        "error: web: failed before any traffic moved: 0 of 2 instances healthy after 60 s\n"
        "    last probe: GET /ping → 500\n"
        "    last log lines: boot\n"
        "      no database\n"
        "  → Mend the release, then deploy again.\n"
        "  [never_healthy]\n"
    )


def test_a_failure_with_json_is_still_one_document(controller: fake.FakeController, run: Run) -> None:
    controller.on(DEPLOY, BEGUN)
    controller.on(STREAM, fake.stream(_outcome(3, "rolled back: web.blue has the traffic", reason=REASON)))
    result = run("--json", "deploy", "web")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["rollout"]["reason"]["code"] == "never_healthy"
    assert "GET /ping → 500" in result.stderr


def test_detach_begins_and_returns(controller: fake.FakeController, run: Run) -> None:
    controller.on(DEPLOY, BEGUN)
    result = run("deploy", "web", "--detach")
    assert (result.exit_code, controller.asked(STREAM)) == (0, [])
    assert "rollout abc123 begun" in result.stdout


def test_the_story_before_a_rollback_is_not_told_again(controller: fake.FakeController, run: Run) -> None:
    going_back = fake.rollout(phase="reverting", since=2000.0)
    controller.on("POST /v1/services/web/rollback", fake.document({"rollout": going_back}, 202))
    old, new = fake.progress(1, "old", at=1000.0), fake.progress(2, "going back", at=2000.0)
    controller.on(STREAM, fake.stream(old, new, _outcome(0, "rolled back", phase="reverted")))
    result = run("rollback", "web")
    assert "old" not in result.stderr
    assert "going back" in result.stderr
    assert result.stdout == "rolled back\n"


def test_a_cut_stream_is_taken_up_and_nothing_told_twice(controller: fake.FakeController, run: Run) -> None:
    controller.on(DEPLOY, BEGUN)
    one, two = fake.progress(1, "one"), fake.progress(2, "two")
    controller.on(
        STREAM,
        fake.stream(one, then=fake.cut),
        fake.cut,
        fake.stream(one, two, _outcome(0, "web.green is live")),
    )
    result = run("deploy", "web")
    assert result.exit_code == 0
    lines = [line.split("  ")[-1] for line in result.stderr.splitlines()]
    assert lines == [
        "one",
        "the controller does not answer; traffic is not affected. Trying to reach it again …",
        "the controller is back",
        "two",
    ]


def test_a_controller_that_stays_away(
    controller: fake.FakeController, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "RECONNECT", 0.3)
    controller.on(DEPLOY, BEGUN)
    controller.on(STREAM, fake.cut)
    result = run("deploy", "web", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "controller_lost"
    assert "traffic is not affected" in result.stderr
    assert "bluegreen status --watch" in result.stderr


def test_quiet_events_are_followed_over_every_restart(
    controller: fake.FakeController, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "RECONNECT", 0.3)
    monkeypatch.setattr(streams, "time", PaperClock())
    controller.on("GET /v1/events", fake.document([]))
    quiet = fake.stream(": ping\r\n\r\n", then=fake.cut)
    refused = fake.problem(401, group="user", code="unauthenticated", title="withdrawn")
    event = {"at": 1.0, "stack": "shop", "service": "web", "level": "info", "message": "told"}
    told = fake.stream(fake.message("progress", event, 1))
    controller.on("GET /v1/events/stream", quiet, fake.cut, quiet, fake.cut, told, refused)
    result = run("events", "-f")
    assert "told" in result.stdout
    assert "withdrawn" in result.stderr


def test_the_worst_outcome_of_several_is_the_exit_code(controller: fake.FakeController, run: Run) -> None:
    for name, id, code in (("a", "one", 0), ("b", "two", 3), ("c", "three", 1)):
        begun = fake.rollout(id, service=name)
        controller.on(f"POST /v1/services/{name}/redeploy", fake.document({"rollout": begun}, 202))
        said = fake.message("outcome", fake.ended(code, f"{name} ended", id=id, service=name))
        controller.on(f"GET /v1/rollouts/{id}/stream", fake.stream(said))
    controller.on("POST /v1/services/idle/redeploy", fake.document({"rollout": None}))
    result = run("service", "redeploy", "a", "b", "idle", "c")
    assert result.exit_code == 1
    assert result.stdout == "a ended\nidle: nothing to do, it is as it is defined\n"


@pytest.mark.parametrize("abort", [False, True])
def test_ctrl_c_leaves_the_rollout_or_aborts_it(
    controller: fake.FakeController, home: Path, abort: bool
) -> None:
    release = threading.Event()
    controller.on(DEPLOY, BEGUN)
    controller.on(STREAM, fake.stream(fake.progress(1, "begun"), then=fake.hang(release)))
    controller.on("POST /v1/rollouts/abc123/abort", fake.document(fake.rollout()))
    flags = ["--abort-on-interrupt"] if abort else []
    process = _program(home, ["deploy", "web", *flags], stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        assert b"begun" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        release.set()
    assert process.returncode == 130
    if abort:
        assert len(controller.asked("POST /v1/rollouts/abc123/abort")) == 1
    else:
        assert b"rollout abc123 goes on without you" in said
        assert b"bluegreen abort abc123" in said
        assert controller.asked("POST /v1/rollouts/abc123/abort") == []


def test_on_a_terminal_the_view_is_live_and_ends_clean(controller: fake.FakeController, home: Path) -> None:
    _well(controller)
    controller.on("GET /v1/instances", fake.document([]))
    ours, theirs = pty.openpty()
    process = _program(home, ["deploy", "web"], stderr=theirs, stdout=subprocess.PIPE)
    os.close(theirs)
    drawn = _drain(ours)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert said == b"web.green has all the traffic (release 2) after 1.5 s\n"
    assert "deploy: release 2 to web.green" in drawn
    assert drawn.count("\x1b[?25h") >= 1, "the cursor is shown again"


def _program(home: Path, arguments: list[str], **streams: Any) -> subprocess.Popen[bytes]:
    environment = {"BLUEGREEN_HOME": str(home), "PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "120"}
    command = [sys.executable, "-m", "bluegreen", *arguments]
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, **streams)


def _drain(terminal: int) -> str:
    found = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other end was closed
            part = b""
        if not part:
            os.close(terminal)
            return re.sub(r"\x1b\[\d*(;\d+)*m", "", found.decode())
        found += part
