"""What each verb asks and prints, against a controller of paper."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bluegreen.cli.status import status_text
from tests.unit.cli import fake_controller as fake
from tests.unit.cli.conftest import Run

STATUS: dict[str, Any] = {
    "balancer": "",
    "services": [
        {
            "name": "webx-green",
            "stack": "shop",
            "state": "Running",
            "image": "app:1",
            "replicas": 1,
            "running": 1,
            "synchronized": True,
            "alarm": "",
            "colors": [
                {
                    "color": "green",
                    "release": 1,
                    "image": "app:1",
                    "wanted": 1,
                    "running": 1,
                    "serving": 1,
                    "in_flight": 3,
                    "share": 100,
                    "traffic": {"rate": 12.34, "errors": 0.0004, "p50": 0.0042, "p95": 1.25},
                }
            ],
        },
    ],
    "routes": [
        {
            "name": "lbx",
            "stack": "shop",
            "balancer": "lbx",
            "port": 80,
            "host": "",
            "path": "",
            "live": "webx-green",
            "target": "webx-blue",
            "weights": {"shop.webx-green.green": 100},
            "synchronized": False,
            "maintenance": None,
        }
    ],
    "instances": [],
    "rollouts": [],
}


def test_without_a_controller_every_verb_says_how_to_start_one(run: Run, home: Path) -> None:
    result = run("status")
    assert result.exit_code == 1
    assert result.stderr == (
        f"error: no controller answers at unix://{home}/bluegreen.sock\n"
        "  → Start one: `bluegreen up` (with a stack file) or `bluegreen serve`.\n"
        "  [no_controller]\n"
    )


def test_an_error_with_json_is_a_document(run: Run) -> None:
    result = run("--json", "status")
    assert json.loads(result.stdout)["error"]["code"] == "no_controller"
    assert result.exit_code == 1


def test_status(controller: fake.FakeController, run: Run) -> None:
    controller.on("GET /v1/status", fake.document(STATUS))
    result = run("status", "--stack", "shop")
    assert result.exit_code == 0
    assert result.stdout == (
        "ROUTE  STACK  LISTENS  LIVE        TRAFFIC\n"
        "lbx    shop   *:80     webx-green  webx-green 100 %  (*) to be webx-blue\n"
        "\n"
        "SERVICE     STACK  STATE    COLOR  RELEASE  RUNNING  SERVING    IN FLIGHT  IMAGE  REQUESTS  ERRORS"
        "   P50     P95\n"
        "webx-green  shop   Running  green  r1       1 of 1   1 (100 %)  3          app:1  12/s      < 0.1 %"
        "  4.2 ms  1.2 s\n"
    )
    assert controller.requests[0].query == {"stack": "shop"}


def test_status_says_nothing_of_waits_where_none_are_measured(
    controller: fake.FakeController, run: Run
) -> None:
    (service,) = STATUS["services"]
    unmeasured = {**service, "colors": [{**service["colors"][0], "traffic": None}]}
    controller.on("GET /v1/status", fake.document({**STATUS, "services": [unmeasured]}))
    assert "P95" not in run("status").stdout


def test_an_option_may_stand_on_either_side_of_the_verb(controller: fake.FakeController, run: Run) -> None:
    controller.on("GET /v1/status", fake.document(STATUS))
    outputs = {run(*words).stdout for words in (["--json", "status"], ["status", "--json"])}
    assert len(outputs) == 1
    assert json.loads(outputs.pop()) == STATUS


def test_the_flag_for_the_host_wins(controller: fake.FakeController, run: Run) -> None:
    controller.on("GET /v1/status", fake.document(STATUS))
    environment = {"BLUEGREEN_HOST": "unix:///nonexistent"}
    assert run("status", env=environment).exit_code == 1
    assert run("status", "--host", controller.url, env=environment).exit_code == 0
    assert run("status", "--state-dir", str(controller.path.parent), env=environment).exit_code == 0


def test_docker_clouds_two_lines(controller: fake.FakeController, run: Run) -> None:
    controller.on("PUT /v1/balancers/lbx/links", fake.document({"synchronized": False}))
    begun = fake.rollout(kind="switch", service="webx-blue", release=0)
    controller.on("POST /v1/services/lbx/redeploy", fake.document({"rollout": begun}, 202))
    said = fake.message("outcome", fake.ended(0, "webx-blue has all the traffic", service="webx-blue"))
    controller.on("GET /v1/rollouts/abc123/stream", fake.stream(said))
    first = run("service", "set", "--link", "webx-blue:webx-blue", "lbx")
    second = run("service", "redeploy", "lbx")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout == "lbx\n"
    assert first.stderr == (
        "Service must be redeployed to have its configuration changes applied.\n"
        "To redeploy execute: $ bluegreen service redeploy lbx\n"
    )
    assert second.stdout == "webx-blue has all the traffic\n"
    sent = controller.asked("PUT /v1/balancers/lbx/links")[0].body
    assert sent == {"links": [{"service": "webx-blue", "alias": "webx-blue"}]}


@pytest.mark.parametrize(
    ("given", "link"),
    [
        ("web", {"service": "web", "alias": "web"}),
        ("web:w", {"service": "web", "alias": "w"}),
        ("web.shop:w", {"service": "web", "alias": "w"}),
    ],
)
def test_links_as_docker_cloud_wrote_them(
    controller: fake.FakeController, run: Run, given: str, link: dict[str, str]
) -> None:
    controller.on("PUT /v1/balancers/lbx/links", fake.document({}))
    assert run("service", "set", "--link-service", given, "lbx").exit_code == 0
    assert controller.requests[0].body == {"links": [link]}


def test_a_link_that_is_none_changes_nothing(controller: fake.FakeController, run: Run) -> None:
    result = run("service", "set", "--link", "a:b:c", "lbx")
    assert (result.exit_code, controller.requests) == (2, [])
    assert "[bad_link]" in result.stderr


def test_service_set_without_anything_to_set(controller: fake.FakeController, run: Run) -> None:
    result = run("service", "set", "lbx")
    assert (result.exit_code, controller.requests) == (2, [])


def test_service_ps_marks_what_is_not_synchronized(controller: fake.FakeController, run: Run) -> None:
    controller.on("GET /v1/status", fake.document(STATUS))
    assert run("service", "ps").stdout == (
        "NAME        STACK  STATUS       #CONTAINERS  IMAGE\n"
        "webx-green  shop   Running      1/1          app:1\n"
        "lbx         shop   Running (*)  1/1          (balancer)\n"
        "\n"
        "(*) must be redeployed to have its configuration changes applied\n"
    )
    assert run("service", "ps", "-q", "-s", "running").stdout == "webx-green\nlbx\n"


def test_a_switch_to_where_the_traffic_is(controller: fake.FakeController, run: Run) -> None:
    controller.on("POST /v1/routes/lbx/switch", fake.document({"rollout": None}))
    result = run("switch", "lbx", "webx-green")
    assert (result.exit_code, result.stdout) == (0, "lbx: webx-green has the traffic already\n")


def test_a_refusal_keeps_its_words_and_its_exit_code(controller: fake.FakeController, run: Run) -> None:
    told = {"title": "there is no target webx-red", "hint": "Did you mean webx-green?"}
    controller.on(
        "POST /v1/routes/lbx/switch", fake.problem(404, code="unknown_target", group="user", **told)
    )
    result = run("switch", "lbx", "webx-red")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: there is no target webx-red\n  → Did you mean webx-green?\n  [unknown_target]\n"
    )


def test_abort_succeeds_when_it_was_aborted(controller: fake.FakeController, run: Run) -> None:
    controller.on("POST /v1/rollouts/abc/abort", fake.document(fake.rollout(phase="aborting")))
    said = fake.message("outcome", fake.ended(1, "failed before any traffic moved", phase="aborted"))
    controller.on("GET /v1/rollouts/abc123/stream", fake.stream(said))
    assert run("abort", "abc").exit_code == 0


def test_pause_says_how_it_goes_on(controller: fake.FakeController, run: Run) -> None:
    held = fake.rollout(phase="shifting", paused_at=1002.0)
    controller.on("POST /v1/rollouts/web/pause", fake.document(held))
    result = run("pause", "web", "--stack", "shop")
    assert result.exit_code == 0
    assert "abc123 is paused: shifting" in result.stdout
    assert "bluegreen resume abc123" in result.stdout
    assert controller.asked("POST /v1/rollouts/web/pause")[0].query == {"stack": "shop"}


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("verb", ["resume", "promote"])
def test_what_goes_on_is_followed_to_its_end(
    controller: fake.FakeController, run: Run, verb: str, code: int
) -> None:
    controller.on(f"POST /v1/rollouts/abc/{verb}", fake.document(fake.rollout(phase="shifting")))
    controller.on(
        "GET /v1/rollouts/abc123/stream", fake.stream(fake.message("outcome", fake.ended(code, "it")))
    )
    assert run(verb, "abc").exit_code == code
    result = run(verb, "abc", "--detach", "--json")
    assert (result.exit_code, json.loads(result.stdout)["rollout"]["id"]) == (0, "abc123")


def test_promote_says_what_is_meant(controller: fake.FakeController, run: Run) -> None:
    controller.on("POST /v1/rollouts/web/promote", fake.document(fake.rollout()))
    assert run("promote", "web", "--skip", "bake", "--detach").exit_code == 0
    assert controller.asked("POST /v1/rollouts/web/promote")[0].body == {"skip": "bake"}


def test_status_says_since_when_it_is_paused_and_how_it_goes_on() -> None:
    held = fake.rollout(phase="baking", settled=True, paused_at=1002.0)
    text = status_text({"balancer": "", "routes": [], "services": [], "rollouts": [held]})
    assert "paused since" in text
    assert "`bluegreen resume abc123` goes on" in text
    assert "the way back is warm" in text


def test_one_refusal_does_not_keep_the_others_from_being_done(
    controller: fake.FakeController, run: Run
) -> None:
    live = {"title": "a has live traffic", "code": "live_color", "group": "user"}
    controller.on("POST /v1/services/a/stop", fake.problem(409, **live))
    controller.on("POST /v1/services/b/stop", fake.document({}))
    result = run("service", "stop", "a", "b")
    assert result.exit_code == 2
    assert len(controller.asked("POST /v1/services/b/stop")) == 1


def test_logs_of_several_instances_name_them(controller: fake.FakeController, run: Run) -> None:
    instances = [{"name": f"shop-web-r1-{n}", "service": "web", "stack": "shop"} for n in (1, 2)]
    controller.on("GET /v1/instances", fake.document(instances))
    for n in (1, 2):
        controller.on(f"GET /v1/instances/shop-web-r1-{n}/logs", fake.raw(200, f"line of {n}\n".encode()))
    result = run("logs", "web", "--tail", "5")
    assert result.stdout == "shop-web-r1-1  line of 1\nshop-web-r1-2  line of 2\n"
    one = run("logs", "shop-web-r1-2", "--json")
    assert json.loads(one.stdout) == {"instance": "shop-web-r1-2", "line": "line of 2"}


def test_events_are_one_line_each(controller: fake.FakeController, run: Run) -> None:
    events = [
        {"id": n, "message": f"m{n}", "at": 1000.0, "level": "info", "stack": "shop", "service": ""}
        for n in (1, 2)
    ]
    controller.on("GET /v1/events", fake.document(events))
    assert run("events").stdout == "1970-01-01 00:16:40  shop  m1\n1970-01-01 00:16:40  shop  m2\n"
    lines = run("events", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [1, 2]


def test_inspect_finds_what_has_the_name(controller: fake.FakeController, run: Run) -> None:
    controller.on("GET /v1/routes", fake.document([]))
    for noun in ("services", "instances", "stacks"):
        controller.on(f"GET /v1/{noun}/x", fake.problem(404, code="unknown_x", group="user", title="no"))
    controller.on("GET /v1/rollouts/x", fake.document({"id": "xyz"}))
    assert json.loads(run("inspect", "x").stdout) == {"id": "xyz"}
    controller.on("GET /v1/rollouts/x", fake.problem(404, code="unknown_rollout", group="user", title="no"))
    assert "[unknown_name]" in run("inspect", "x").stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["swich"], "there is no command 'swich'. Did you mean 'switch'?"),
        (["switch", "lbx"], "Missing argument 'TARGET'."),
        (["scale", "web", "many"], "'many' is not a valid integer"),
        (["deploy", "web", "-e", "NOT_SET_ANYWHERE"], "'NOT_SET_ANYWHERE' sets no variable"),
    ],
)
def test_usage_is_exit_code_2_and_a_document_with_json(run: Run, words: list[str], said: str) -> None:
    result = run(*words, "--json") if words != ["swich"] else run("--json", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert said in json.loads(result.stdout)["error"]["message"]


def test_a_fault_of_ours_is_exit_code_70(controller: fake.FakeController, run: Run) -> None:
    controller.on("GET /v1/status", fake.document({"unexpected": True}))
    result = run("status")
    assert result.exit_code == 70
    assert "[bug]" in result.stderr
    assert "BLUEGREEN_TRACEBACK=1" in result.stderr


def test_a_reader_that_goes_away_is_no_error(controller: fake.FakeController, home: Path) -> None:
    controller.on("GET /v1/status", fake.document(STATUS | {"services": STATUS["services"] * 5000}))
    process = subprocess.Popen(
        [sys.executable, "-m", "bluegreen", "status", "--json"],
        env={"BLUEGREEN_HOME": str(home), "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 1
    assert said == b""


def test_no_arguments_show_the_help(run: Run) -> None:
    result = run()
    assert result.exit_code == 0
    assert "Exit codes: 0 promoted" in result.stdout


def test_the_version(run: Run) -> None:
    assert run("--version").stdout.startswith("bluegreen ")
