"""The line of phases that a rollout's page shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.api.web.timeline import timeline
from bluegreen.domain.events import Event
from bluegreen.domain.naming import PoolId
from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.rollout import Kind, Phase, Rollout

DEPLOY = Rollout(
    id="r",
    kind=Kind.DEPLOY,
    stack="shop",
    service="web",
    source=PoolId("shop.web.blue"),
    target=PoolId("shop.web.green"),
    policy=RolloutPolicy(start_deadline=60.0, bake=300.0, drain=30.0),
    since=100.0,
)
SWITCH = replace(DEPLOY, kind=Kind.SWITCH, starts_target=False, retire_source=False)
FIRST = replace(DEPLOY, source=None)


def through(*phases: str) -> list[Event]:
    return [
        Event(kind="k", message=phase, at=float(n), data={"phase": phase}) for n, phase in enumerate(phases)
    ]


def shown(rollout: Rollout, phase: Phase, *before: str) -> str:
    """Return the phases, the present one in brackets and those ahead with a question mark."""
    line = timeline(replace(rollout, phase=phase), through(*before), 110.0)
    marks = {"over": "{}", "now": "[{}]", "ahead": "{}?"}
    return " ".join(marks[stage.state].format(stage.phase) for stage in line.stages)


def test_what_is_ahead_follows_from_what_kind_it_is() -> None:
    everything = "preparing starting [proving] shifting? baking? draining? retiring? done?"
    assert shown(DEPLOY, Phase.PROVING, "preparing", "starting", "proving") == everything
    assert shown(SWITCH, Phase.PROVING, "proving") == "[proving] shifting? baking? done?"
    assert shown(FIRST, Phase.STARTING, "preparing") == "preparing [starting] proving? shifting? done?"


def test_what_goes_wrong_has_its_own_end() -> None:
    assert shown(DEPLOY, Phase.ABORTING, "preparing", "starting") == "preparing starting [aborting] aborted?"
    assert (
        shown(DEPLOY, Phase.REVERTED, "proving", "baking", "reverting") == "proving baking reverting reverted"
    )


@pytest.mark.parametrize(
    ("phase", "left"),
    [(Phase.PROVING, 50.0), (Phase.BAKING, 290.0), (Phase.DRAINING, 20.0), (Phase.SHIFTING, None)],
)
def test_how_long_the_present_phase_may_last(phase: Phase, left: float | None) -> None:
    assert timeline(replace(DEPLOY, phase=phase), (), 110.0).left == left
    late = timeline(replace(DEPLOY, phase=phase), (), 9_999.0).left
    assert late == (None if left is None else 0.0)


def test_paused_it_has_as_long_as_it_had_then() -> None:
    held = replace(DEPLOY, phase=Phase.BAKING, paused_at=150.0)
    assert timeline(held, (), 9_999.0).left == 250.0
    assert timeline(replace(held, paused_at=0.0, held=40.0), (), 200.0).left == 240.0


def test_what_happened_is_under_the_phase_that_it_ended() -> None:
    line = timeline(replace(DEPLOY, phase=Phase.PROVING), through("preparing", "proving", "proving"), 110.0)
    counts = {stage.phase: len(stage.events) for stage in line.stages if stage.events}
    assert counts == {Phase.PREPARING: 2, Phase.PROVING: 1}
