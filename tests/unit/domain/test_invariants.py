"""The last gate: what speaks against a step, whoever decided it."""

from __future__ import annotations

import pytest

from bluegreen.domain.facts import Facts
from bluegreen.domain.health import Verdict
from bluegreen.domain.instance import InstanceState
from bluegreen.domain.invariants import no_way_back, violations
from bluegreen.domain.rollout import Phase, Rollout
from bluegreen.domain.steps import Admit, Prepare, SetWeights, StartPool, Step, StopPool
from tests.unit.domain.cases import BLUE, GREEN, WEB, facts, on_green, one, rollout, view

SICK = Verdict.SICK
TO_GREEN, TO_BLUE = SetWeights((WEB,), {GREEN: 100}), SetWeights((WEB,), {BLUE: 100})
P = Phase
SICK_GREEN = view(GREEN, one(GREEN, verdict=SICK))
DEAD_BLUE = view(BLUE, one(BLUE, state=InstanceState.EXITED))

ALLOWED: list[tuple[Rollout, Facts, Step]] = [
    (rollout(), facts(), Prepare()),
    (rollout(P.STARTING), facts(), StartPool(GREEN, 1)),
    (rollout(P.PROVING), facts(), Admit(GREEN)),
    (rollout(P.SHIFTING), facts(), TO_GREEN),
    (rollout(P.SHIFTING), facts(), SetWeights((WEB,), {GREEN: 20, BLUE: 80})),
    (rollout(P.RETIRING), on_green(), StopPool(BLUE)),
    (rollout(P.ABORTING), facts(), StopPool(GREEN)),
    (rollout(P.ABORTING), facts(unheard=("box north",)), StopPool(GREEN)),
    (rollout(P.RETIRING), on_green(unheard=("box north",)), TO_GREEN),
    (rollout(P.REVERTING), facts(unheard=("box north",)), TO_BLUE),
    (rollout(P.REVERTING), facts(), StopPool(GREEN)),
    (rollout(P.REVERTING), on_green(), TO_BLUE),
    (rollout(P.REVERTING), on_green(target=SICK_GREEN, source=DEAD_BLUE), TO_BLUE),
    (rollout(P.REVERTING), on_green(source=view(BLUE, one(BLUE, verdict=Verdict.STARTING))), TO_BLUE),
    (rollout(P.REVERTING, source=None), on_green(source=None), SetWeights((WEB,), {})),
    (rollout(P.STARTING, routes=()), facts(weights=None), StopPool(BLUE)),
]
FORBIDDEN: list[tuple[str, Rollout, Facts, Step]] = [
    ("has 100 % of", rollout(P.RETIRING), facts(), StopPool(BLUE)),
    ("has 100 % of", rollout(P.ABORTING), on_green(), StopPool(GREEN)),
    ("has 1 % of", rollout(P.RETIRING), facts(weights={WEB: {GREEN: 99, BLUE: 1}}), StopPool(BLUE)),
    ("does not say", rollout(P.RETIRING), facts(weights=None), StopPool(BLUE)),
    ("does not say", rollout(P.ABORTING), facts(weights=None), StopPool(GREEN)),
    ("box north", rollout(P.RETIRING), on_green(unheard=("box north",)), StopPool(BLUE)),
    ("box north", rollout(P.REVERTING), facts(unheard=("box north",)), StopPool(GREEN)),
    ("no healthy instance", rollout(P.RETIRING), on_green(target=SICK_GREEN), StopPool(BLUE)),
    ("no healthy instance", rollout(P.RETIRING), on_green(target=view(GREEN)), StopPool(BLUE)),
    *[
        ("not stopped while", rollout(phase), on_green(), StopPool(BLUE))
        for phase in Phase
        if phase is not P.RETIRING
    ],
    ("no healthy instance", rollout(P.SHIFTING), facts(target=SICK_GREEN), TO_GREEN),
    ("no healthy instance", rollout(P.BAKING), facts(target=view(GREEN)), TO_GREEN),
    ("sum to 90", rollout(P.SHIFTING), facts(), SetWeights((WEB,), {GREEN: 50, BLUE: 40})),
    ("sum to 200", rollout(P.REVERTING), facts(), SetWeights((WEB,), {GREEN: 100, BLUE: 100})),
    ("no instance that serves", rollout(P.REVERTING), on_green(source=DEAD_BLUE), TO_BLUE),
    ("no instance that serves", rollout(P.REVERTING), on_green(source=view(BLUE)), TO_BLUE),
]


@pytest.mark.parametrize(("state", "seen", "step"), ALLOWED)
def test_what_may_be_done(state: Rollout, seen: Facts, step: Step) -> None:
    assert violations(state, seen, step) == ()


@pytest.mark.parametrize(("why", "state", "seen", "step"), FORBIDDEN)
def test_what_may_not_be_done(why: str, state: Rollout, seen: Facts, step: Step) -> None:
    found = violations(state, seen, step)
    assert any(why in text for text in found), found


def test_going_back_is_refused_only_where_it_would_lose_the_traffic() -> None:
    well, dead = view(GREEN, one(GREEN)), view(GREEN)
    assert no_way_back(rollout(P.BAKING), well, DEAD_BLUE)
    assert not no_way_back(rollout(P.BAKING), well, view(BLUE, one(BLUE)))
    assert not no_way_back(rollout(P.BAKING), dead, DEAD_BLUE)
    assert not no_way_back(rollout(P.BAKING), well, None)
    assert not no_way_back(rollout(P.BAKING, routes=()), well, DEAD_BLUE)
