"""Paused, resumed, promoted: what goes on meanwhile, what does not, and how much time is left then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.domain.decide import Do, Record, Wait, decide
from bluegreen.domain.facts import Facts
from bluegreen.domain.health import Verdict
from bluegreen.domain.rollout import (
    FINAL,
    STEERABLE,
    STEERING,
    TRANSITIONS,
    Happened,
    Kind,
    Phase,
    Rollout,
    apply,
)
from bluegreen.domain.steps import Cut, SetWeights, StartPool, StopPool
from bluegreen.ports.codec import decode, encode
from tests.unit.domain.cases import BLUE, GREEN, NOW, POLICY, WEB, facts, on_green, one, rollout, view

H, P = Happened, Phase
CANARY = replace(POLICY, shares=(10, 50))
LATER = NOW + 10_000


def paused(phase: Phase, **fields: Any) -> Rollout:
    """A rollout that was paused the moment it entered ``phase``."""
    return rollout(phase, paused_at=NOW, **fields)


def shared(share: int, **fields: Any) -> Facts:
    return facts(weights={WEB: {GREEN: share, BLUE: 100 - share}}, **fields)


# -- the table ------------------------------------------------------------------------------------


def test_pausing_changes_no_phase_and_is_for_where_something_can_wait() -> None:
    found = {phase for (phase, happened) in TRANSITIONS if happened in STEERING}
    assert found == set(STEERABLE) == set(Phase) - FINAL - {P.RETIRING, P.ABORTING, P.REVERTING}
    for phase in STEERABLE:
        for happened in STEERING:
            assert TRANSITIONS[phase, happened] is phase


def test_said_twice_is_said_once() -> None:
    first = apply(rollout(P.BAKING), H.PAUSED, NOW + 1)
    again = apply(first, H.PAUSED, NOW + 5)
    assert (again.paused_at, again.held) == (NOW + 1, 0.0)
    going = apply(again, H.RESUMED, NOW + 11)
    assert (going.paused, going.held) == (False, 10.0)
    assert replace(apply(going, H.RESUMED, NOW + 20), version=0) == replace(going, version=0)


@pytest.mark.parametrize(
    ("phase", "happened"),
    [(phase, end) for phase in STEERABLE for end in (H.FAILED, H.CANCELLED) if (phase, end) in TRANSITIONS],
)
def test_what_goes_back_is_not_paused(phase: Phase, happened: Happened) -> None:
    back = apply(paused(phase, held=7.0), happened, NOW + 3)
    assert (back.paused, back.paused_at, back.held) == (False, 0.0, 0.0)
    assert back.clock(NOW + 4) == NOW + 4


# -- what does not go on --------------------------------------------------------------------------

FURTHER: dict[str, tuple[Rollout, Facts]] = {
    "to the first traffic": (rollout(P.PROVING), facts(now=LATER)),
    "to the next share": (rollout(P.SHIFTING, policy=CANARY), shared(10, now=LATER)),
    "past the bake": (rollout(P.BAKING, settled=True), on_green(now=LATER)),
    "past the watch of a switch": (
        rollout(P.BAKING, kind=Kind.SWITCH, retire_source=False, settled=True),
        on_green(now=LATER),
    ),
    "to the end of the old color": (rollout(P.DRAINING), on_green(now=LATER)),
}


@pytest.mark.parametrize("case", FURTHER)
def test_a_paused_rollout_goes_no_further_and_does_once_resumed(case: str) -> None:
    going, seen = FURTHER[case]
    assert isinstance(decide(going, seen), Record)
    held = replace(going, paused_at=LATER - 1)  # its time was over before: the clock is not what holds it
    assert isinstance(decide(held, seen), Wait)
    assert isinstance(decide(apply(held, H.RESUMED, LATER), seen), Record)


def test_what_cannot_run_twice_keeps_its_old_release_while_paused() -> None:
    alone: dict[str, Any] = {"policy": replace(POLICY, stop_first=True), "routes": ()}
    seen = facts(target=view(GREEN), weights={})
    assert decide(rollout(P.STARTING, **alone), seen) == Do(StopPool(BLUE))
    assert isinstance(decide(paused(P.STARTING, **alone), seen), Wait)


@pytest.mark.parametrize("phase", [P.BAKING, P.DRAINING])
def test_no_connection_is_cut_while_paused(phase: Phase) -> None:
    cutting = replace(POLICY, cut_after=1.0, drain=10_000_000.0)
    seen = on_green(source=view(BLUE, one(BLUE), in_flight=1), now=LATER)
    if phase is P.BAKING:
        assert decide(rollout(phase, policy=cutting), seen) == Do(Cut(BLUE))
    assert isinstance(decide(replace(rollout(phase, policy=cutting), paused_at=LATER), seen), Wait)


# -- what goes on ---------------------------------------------------------------------------------


def test_a_new_color_is_made_ready_while_paused() -> None:
    assert decide(paused(P.STARTING), facts(target=view(GREEN))) == Do(StartPool(GREEN, 1))


@pytest.mark.parametrize("phase", [P.SHIFTING, P.BAKING, P.DRAINING])
def test_a_bad_release_loses_its_traffic_while_paused(phase: Phase) -> None:
    sick = on_green(target=view(GREEN, one(GREEN, verdict=Verdict.SICK)))
    decision = decide(paused(phase, policy=CANARY), sick)
    assert isinstance(decision, Record)
    assert decision.happened is H.FAILED


def test_shares_are_kept_true_while_paused() -> None:
    canary = paused(P.SHIFTING, policy=CANARY)
    assert decide(canary, facts()) == Do(SetWeights((WEB,), {GREEN: 10, BLUE: 90}))
    assert isinstance(decide(canary, shared(10, now=LATER)), Wait)
    assert decide(paused(P.BAKING), facts()) == Do(SetWeights((WEB,), {GREEN: 100}))


def test_users_count_as_served_while_paused() -> None:
    """Who waits for a deploy is told that it has succeeded; only the old color is held."""
    assert decide(paused(P.BAKING), on_green()) == Record(H.SETTLED)


# -- the clock ------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [P.PREPARING, P.STARTING, P.PROVING])
def test_no_deadline_passes_while_paused_and_what_was_left_is_left(phase: Phase) -> None:
    seen = facts(target=view(GREEN, one(GREEN, verdict=Verdict.STARTING)), now=LATER)
    if phase is P.STARTING:
        seen = facts(target=view(GREEN), now=LATER)
    late = rollout(phase, policy=replace(POLICY, start_deadline=60))
    held = replace(late, paused_at=NOW + 50)
    assert not isinstance(decide(held, seen), Record)
    going = apply(held, H.RESUMED, LATER)
    assert not isinstance(decide(going, replace(seen, now=LATER + 9)), Record)
    limit = 850 if phase is P.PREPARING else 10
    ended = decide(going, replace(seen, now=LATER + limit))
    assert isinstance(ended, Record)
    assert ended.happened is H.FAILED


WAITS = {P.PREPARING: H.PREPARED, P.STARTING: H.STARTED, P.PROVING: H.PROVED, P.SHIFTING: H.SHIFTED}
moves = st.lists(
    st.tuples(st.floats(0, 100), st.sampled_from([H.PAUSED, H.RESUMED, None, H.STEP_HELD])), max_size=30
)


@given(moves)
def test_a_wait_has_lasted_as_long_as_it_was_not_paused(played: list[tuple[float, Happened | None]]) -> None:
    """Also over phases that begin while it is paused (an image arrives, instances start)."""
    now, spent, one_of = NOW, 0.0, rollout(P.PREPARING, policy=CANARY)
    for seconds, happened in played:
        now += seconds
        spent += 0.0 if one_of.paused else seconds
        onward = WAITS.get(one_of.phase) if happened is None else happened
        if onward is None or (one_of.phase, onward) not in TRANSITIONS:
            continue
        one_of = apply(one_of, onward, now)
        if onward not in STEERING:
            spent = 0.0
        began = one_of.step_since if one_of.phase is P.SHIFTING else one_of.since
        assert one_of.clock(now) - began == pytest.approx(spent, abs=1e-6)


def test_a_clock_that_was_set_back_steals_no_time() -> None:
    going = apply(paused(P.BAKING), H.RESUMED, NOW - 50)
    assert going.held == 0.0


# -- promote --------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [P.PREPARING, P.STARTING, P.PROVING, P.SHIFTING])
@pytest.mark.parametrize("held", [False, True])
def test_promoted_before_all_traffic_moved_no_share_is_waited_on(phase: Phase, held: bool) -> None:
    canary = rollout(phase, policy=replace(CANARY, bake=300), paused_at=NOW if held else 0.0)
    good = apply(canary, H.PROMOTED, NOW + 1)
    assert (good.paused, good.phase, good.share, good.policy.bake) == (False, phase, 100, 300)


def test_promoted_it_must_still_prove_itself() -> None:
    good = apply(paused(P.PROVING), H.PROMOTED, NOW + 1)
    starting = view(GREEN, one(GREEN, verdict=Verdict.STARTING))
    assert isinstance(decide(good, facts(target=starting)), Wait)
    assert decide(good, facts()) == Record(H.PROVED)


def test_promoted_in_the_bake_the_old_color_may_go_but_is_drained() -> None:
    good = apply(paused(P.BAKING, settled=True), H.PROMOTED, NOW + 1)
    assert decide(good, on_green(now=NOW + 1)) == Record(H.BAKED)
    busy = on_green(now=NOW + 1, source=view(BLUE, one(BLUE), in_flight=1))
    draining = apply(good, H.BAKED, NOW + 1)
    assert isinstance(decide(draining, busy), Wait)
    assert isinstance(decide(replace(good, settled=False), busy), Wait)


# -- the journal ----------------------------------------------------------------------------------


def test_what_was_written_before_there_were_pauses_is_read() -> None:
    held = paused(P.SHIFTING, held=3.5)
    assert decode(Rollout, encode(held)) == held
    old = encode(rollout(P.SHIFTING)).replace('"paused_at":0.0,"held":0.0,', "")
    assert "paused_at" not in old
    assert decode(Rollout, old) == rollout(P.SHIFTING)
