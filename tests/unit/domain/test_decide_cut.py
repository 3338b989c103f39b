"""What never ends by itself is closed on the color that users have left, and only there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.domain.decide import Do, decide
from bluegreen.domain.facts import Facts
from bluegreen.domain.invariants import violations
from bluegreen.domain.rollout import Kind, Phase, Rollout
from bluegreen.domain.steps import Cut
from tests.unit.domain.cases import BLUE, GREEN, NOW, POLICY, WEB, facts, on_green, one, rollout, view

CUTTING = replace(POLICY, cut_after=5.0, drain=30.0)
OPEN, IDLE = view(BLUE, one(BLUE), in_flight=2), view(BLUE, one(BLUE), in_flight=0)


def baking(**fields: Any) -> Rollout:
    return rollout(Phase.BAKING, **({"policy": CUTTING, "shifted_at": NOW - 5.0} | fields))


def seen(**fields: Any) -> Facts:
    return on_green(**({"source": OPEN} | fields))


@pytest.mark.parametrize(
    ("state", "world", "cut"),
    [
        (baking(), seen(), True),
        (baking(settled=True), seen(), True),
        (baking(shifted_at=NOW - 4.9), seen(), False),
        (baking(), seen(source=IDLE), False),
        (baking(), seen(source=replace(OPEN, in_flight=None)), False),
        (baking(policy=POLICY), seen(), False),
        # the source of a switch may carry other routes
        (baking(kind=Kind.SWITCH, starts_target=False, retire_source=False), seen(), False),
        (baking(routes=()), seen(), False),
    ],
)
def test_the_old_color_is_cut_once_its_time_is_over(state: Rollout, world: Facts, cut: bool) -> None:
    decision = decide(state, world)
    assert (decision == Do(Cut(BLUE))) is cut
    assert not cut or violations(state, world, Cut(BLUE)) == ()


def test_the_way_back_cuts_the_new_color() -> None:
    state = rollout(Phase.REVERTING, policy=CUTTING, since=NOW - 5.0)
    world = facts(
        target=view(GREEN, one(GREEN), in_flight=1),
        source=view(BLUE, one(BLUE)),
        weights={WEB: {BLUE: 100}},
    )
    assert decide(state, world) == Do(Cut(GREEN))
    assert violations(state, world, Cut(GREEN)) == ()


def test_a_color_with_traffic_is_never_cut() -> None:
    assert violations(baking(), facts(weights={WEB: {BLUE: 50, GREEN: 50}}), Cut(BLUE))
