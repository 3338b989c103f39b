"""The client against a controller of paper: what it asks, what it raises, what it follows."""

from __future__ import annotations

import pytest

from bluegreen.client import Bluegreen, Planned, Temporary, UserError
from bluegreen.client import following as followed
from tests.unit.cli import fake_controller as fake
from tests.unit.cli.paper_clock import PaperClock


def test_a_command_asks_in_its_stack_and_is_refused_as_it_was(
    controller: fake.FakeController,
) -> None:
    controller.on("POST /v1/services/web/deploy", fake.document({"rollout": None}))
    controller.on(
        "POST /v1/services/db/deploy",
        fake.problem(409, group="user", code="rollout_in_progress", title="busy", hint="Wait."),
    )
    client = Bluegreen(controller.url, stack="shop")
    assert client.deploy("web", image="shop/web:2") is None
    (asked,) = controller.requests
    assert asked.body == {"image": "shop/web:2", "environment": {}}
    assert asked.query == {"stack": "shop"}
    with pytest.raises(UserError) as raised:
        client.deploy("db")
    assert (raised.value.code, raised.value.hint) == ("rollout_in_progress", "Wait.")


def test_a_rollout_is_held_and_promoted(controller: fake.FakeController) -> None:
    for word in ("pause", "resume", "promote"):
        controller.on(f"POST /v1/rollouts/abc123/{word}", fake.document(fake.rollout()))
    client = Bluegreen(controller.url)
    held = client.pause("abc123")
    client.resume(held)
    client.promote(held, skip="bake")
    assert [(r.path.rpartition("/")[2], r.body) for r in controller.requests] == [
        ("pause", {}),
        ("resume", {}),
        ("promote", {"skip": "bake"}),
    ]


def test_a_rollout_is_followed_over_a_cut_and_told_once(controller: fake.FakeController) -> None:
    told = fake.rollout(phase="baking", settled=True) | {"outcome": {"exit_code": 0, "message": "live"}}
    controller.on(
        "GET /v1/rollouts/abc123/stream",
        fake.stream(_progress(1, "one"), then=fake.cut),
        fake.stream(_progress(1, "one"), _progress(2, "two"), fake.message("outcome", told)),
    )
    client = Bluegreen(controller.url)
    assert [event.message for event in client.follow("abc123")] == ["one", "two"]
    assert client.wait("abc123").promoted


def test_a_controller_that_stays_away_is_told(
    controller: fake.FakeController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "RECONNECT", 0.0)
    controller.on("GET /v1/rollouts/abc123/stream", fake.cut)
    with pytest.raises(Temporary) as raised:
        Bluegreen(controller.url).wait("abc123")
    assert raised.value.code == "controller_lost"


def test_a_quiet_watch_survives_every_restart_and_misses_nothing(
    controller: fake.FakeController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "RECONNECT", 0.3)
    monkeypatch.setattr(followed, "time", PaperClock())
    controller.on("GET /v1/events", fake.document([{"id": 7}]))
    quiet = fake.stream(": ping\r\n\r\n", then=fake.cut)
    controller.on("GET /v1/events/stream", quiet, fake.cut, quiet, fake.cut, fake.stream(_progress(8, "one")))
    assert next(Bluegreen(controller.url).watch()).message == "one"
    asked = controller.asked("GET /v1/events/stream")
    assert [request.headers["Last-Event-ID"] for request in asked] == ["7"] * 5


def test_up_says_which_stack_it_saw(controller: fake.FakeController) -> None:
    controller.on("PUT /v1/stacks/shop", fake.document({"changes": [], "rollouts": []}))
    client = Bluegreen(controller.url)
    client.up({"name": "shop"}, planned=Planned(tag='"7"', changes=()))
    client.up({"name": "shop"})
    assert [request.headers.get("If-Match") for request in controller.requests] == ['"7"', None]


def test_where_it_looks_by_itself(controller: fake.FakeController, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BLUEGREEN_HOST", raising=False)
    monkeypatch.setenv("BLUEGREEN_HOME", str(controller.path.parent))
    controller.on("GET /v1/stacks", fake.document([]))
    assert Bluegreen().stacks() == ()


def _progress(id: int, text: str) -> str:
    return fake.message("progress", {"id": id, "kind": "rollout.x", "message": text, "at": 1.0}, id)
