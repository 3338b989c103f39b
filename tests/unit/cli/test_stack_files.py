"""``check``, ``plan`` and ``up``: from a file to what the API is sent, and what a bad file gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bluegreen.cli.files import published
from bluegreen.domain.errors import UserError
from tests.unit.cli import fake_controller as fake
from tests.unit.cli.conftest import Run

GOOD = "web:\n  image: app:1\n  links: [db]\ndb:\n  image: mongo\n"
BAD = "web:\n  imaeg: app:1\n  restart: sometimes\n"


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good stack file, as the current one."""
    (tmp_path / "docker-cloud.yml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_check_reports_every_problem_at_once(tmp_path: Path, run: Run) -> None:
    bad = tmp_path / "bad.yml"
    bad.write_text(BAD)
    result = run("check", str(bad))
    assert result.exit_code == 2
    assert f"{bad}:2:3: error" in result.stdout
    assert f"{bad}:3:" in result.stdout
    document = json.loads(run("check", "--json", str(bad)).stdout)
    assert document["ok"] is False
    assert {p["line"] for p in document["problems"] if p["severity"] == "error"} >= {2, 3}


def test_check_of_a_good_file(stack: Path, run: Run) -> None:
    result = run("check", "-n", "shop")
    assert (result.exit_code, result.stdout) == (0, "stack shop: good\n")


def test_check_without_a_file(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("check")
    assert result.exit_code == 2
    assert "[no_file]" in result.stderr


def test_a_bad_file_never_reaches_a_controller(
    controller: fake.FakeController, tmp_path: Path, run: Run
) -> None:
    bad = tmp_path / "bad.yml"
    bad.write_text(BAD)
    for verb in ("up", "plan"):
        result = run(verb, "-f", str(bad))
        assert (result.exit_code, controller.requests) == (2, [])
        assert "the stack file cannot be used" in result.stderr
        assert f"    {bad}:2:3: error" in result.stderr


def _answers(controller: fake.FakeController, changes: list[dict[str, Any]]) -> None:
    controller.on("GET /v1/about", fake.document({"version": "1", "pid": 1}))
    controller.on("POST /v1/stacks/shop/plan", fake.document(changes))
    controller.on("PUT /v1/stacks/shop", fake.document({"changes": changes, "rollouts": [fake.rollout()]}))
    said = fake.message("outcome", fake.ended(0, "web.blue has all the traffic"))
    controller.on("GET /v1/rollouts/abc123/stream", fake.stream(said))
    controller.on("GET /v1/routes", fake.document([{"name": "lbx", "live": "web", "port": 80}]))


def test_up_shows_the_plan_sends_the_stack_and_follows(
    controller: fake.FakeController, stack: Path, run: Run
) -> None:
    _answers(controller, [{"action": "create", "service": "web", "detail": "app:1"}])
    result = run("up", "-n", "shop", "--prune")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "stack shop is up\n  lbx: web on port 80\n"
    assert "+  web      create  app:1" in result.stderr
    sent = controller.asked("PUT /v1/stacks/shop")[0]
    assert sent.query == {"prune": "true"}
    assert [s["name"] for s in sent.body["services"]] == ["web", "db"]


def test_up_is_for_the_stack_that_the_plan_was_made_from(
    controller: fake.FakeController, stack: Path, run: Run
) -> None:
    _answers(controller, [])
    controller.on("POST /v1/stacks/shop/plan", fake.document([], ETag='"7"'))
    told = {
        "code": "stack_changed",
        "group": "user",
        "title": "changed since",
        "hint": "Look: `bluegreen plan`.",
    }
    controller.on("PUT /v1/stacks/shop", fake.problem(412, **told))
    result = run("up", "-n", "shop")
    assert controller.asked("PUT /v1/stacks/shop")[0].headers["If-Match"] == '"7"'
    assert result.exit_code == 2
    assert "[stack_changed]" in result.stderr


def test_up_with_json_is_one_document(controller: fake.FakeController, stack: Path, run: Run) -> None:
    _answers(controller, [{"action": "create", "service": "web", "detail": "app:1"}])
    document = json.loads(run("up", "-n", "shop", "--json").stdout)
    assert document["stack"] == "shop"
    assert document["rollouts"][0]["outcome"]["exit_code"] == 0


def test_plan_changes_nothing(controller: fake.FakeController, stack: Path, run: Run) -> None:
    _answers(controller, [{"action": "keep", "service": "web", "detail": "release 1"}])
    result = run("plan", "--stack", "shop")
    assert result.stdout == "stack shop\n   SERVICE  ACTION  DETAIL\n=  web      keep    release 1\n"
    assert [r.method for r in controller.requests] == ["POST"]


@pytest.mark.parametrize("bad", ["80", "80=", "x=1", "0=1", "70000=1", "80=99999", "80=0"])
def test_a_published_port_that_is_none(bad: str) -> None:
    with pytest.raises(UserError) as raised:
        published([bad])
    assert raised.value.code == "bad_publish"


def test_published_ports() -> None:
    assert published(["80=18080", "443:18443"]) == {80: 18080, 443: 18443}


def test_down_without_a_name_means_the_only_stack(controller: fake.FakeController, run: Run) -> None:
    controller.on("GET /v1/stacks", fake.document([{"name": "shop"}]))
    controller.on("DELETE /v1/stacks/shop", fake.document({"removed": "shop"}))
    assert run("down").stdout == "stack shop is removed\n"
    controller.on("GET /v1/stacks", fake.document([{"name": "shop"}, {"name": "other"}]))
    result = run("down")
    assert result.exit_code == 2
    assert "stack: other" in result.stderr
    assert len(controller.asked("DELETE /v1/stacks/shop")) == 1


def test_a_controller_that_cannot_start_says_why(home: Path, stack: Path, run: Run) -> None:
    """A real start, that fails: the state folder's journal is a folder."""
    (home / "journal.sqlite").mkdir()
    result = run("up", "-n", "shop", "--runtime", "process")
    assert result.exit_code == 1
    assert "error: the controller was started and ended (exit code 1)" in result.stderr
    assert f"log: {home}/controller.log" in result.stderr
    assert "journal" in result.stderr
    assert "[controller_start_failed]" in result.stderr


def test_up_never_starts_a_controller_where_an_address_was_given(stack: Path, home: Path, run: Run) -> None:
    result = run("up", "--host", f"unix://{home}/other.sock")
    assert result.exit_code == 1
    assert "[no_controller]" in result.stderr
    assert not (home / "controller.log").exists()
