"""The answers of the client are those of the controller, and what it does not know does not matter."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace

import pytest

from bluegreen.api.context import About as AboutSaid
from bluegreen.client import (
    About,
    Box,
    Change,
    Color,
    Event,
    Instance,
    Permanent,
    Reason,
    Rollout,
    Route,
    Service,
    Status,
    Traffic,
)
from bluegreen.client.reading import read
from bluegreen.domain import events, latency, plan, rollout
from bluegreen.domain.access import Role
from bluegreen.engine import views
from tests.unit.api.scene import Scene, play


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (About, AboutSaid),
        (Box, views.BoxView),
        (Change, plan.Planned),
        (Color, views.ColorView),
        (Event, events.Event),
        (Instance, views.InstanceView),
        (Reason, rollout.Reason),
        (Rollout, rollout.Rollout),
        (Route, views.RouteView),
        (Service, views.ServiceView),
        (Status, views.StatusView),
        (Traffic, latency.Traffic),
    ],
)
def test_every_field_is_one_that_the_controller_has_and_none_is_forgotten(answer: type, said: type) -> None:
    has, says = ({f.name for f in fields(kind)} for kind in (answer, said))
    assert has - says <= ADDED
    assert says - has <= OF_NO_USE


ADDED = frozenset({"outcome"})
OF_NO_USE = frozenset({"idempotency_keys", "last_probe", "alive"}) | {
    # how the engine goes about a rollout
    *("held", "version", "spec", "former", "starts_target", "policy", "step", "step_since", "retire_source"),
}


def test_what_the_api_says_can_be_read() -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.ADMIN)
        status = read(Status, (await scene.ask("GET", "/v1/status", token)).json())
        shop = next(s for s in status.services if s.stack == "shop")
        assert shop.live_color in {color.color for color in shop.colors}
        assert status.instances[0].release == 1
        begun = await scene.ask("POST", f"/v1/services/{shop.name}.shop/deploy", token, json={"image": "a:2"})
        deployed = read(Rollout, begun.json()["rollout"])
        assert (deployed.kind, deployed.outcome, deployed.promoted) == ("deploy", None, False)
        looked = read(Rollout, (await scene.ask("GET", f"/v1/rollouts/{deployed.id}", token)).json())
        assert looked.outcome is not None
        assert replace(looked, outcome=None).id == deployed.id

    play(story)


def test_what_a_newer_controller_says_is_left_out_and_what_is_none_of_ours_refused() -> None:
    found = read(Reason, {"code": "x", "message": "m", "evidence": [["a", "b"]], "hint": "", "new": 1})
    assert found == Reason(code="x", message="m", evidence=(("a", "b"),))
    with pytest.raises(Permanent) as raised:
        read(Reason, {"message": "m"})
    assert raised.value.code == "bad_answer"
    with pytest.raises(Permanent):
        read(Reason, ["no", "object"])


def test_importing_it_brings_in_nothing_heavy() -> None:
    heavy = {"pydantic", "fastapi", "rich", "click", "yaml"}
    script = f"import sys, bluegreen.client; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "set()"
