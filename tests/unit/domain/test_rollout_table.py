"""The whole product of phases and events: legal exactly as the table says."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from bluegreen.domain.errors import Bug
from bluegreen.domain.rollout import (
    AFTER_TRAFFIC,
    BEFORE_TRAFFIC,
    FINAL,
    TRANSITIONS,
    Happened,
    Phase,
    Reason,
    apply,
)
from tests.unit.domain.cases import NOW, POLICY, rollout

PAIRS = list(product(Phase, Happened))


@pytest.mark.parametrize(("phase", "happened"), PAIRS, ids=lambda v: str(v))
def test_a_pair_is_legal_exactly_as_the_table_says(phase: Phase, happened: Happened) -> None:
    before = rollout(phase, version=7)
    if (phase, happened) not in TRANSITIONS:
        with pytest.raises(Bug) as refused:
            apply(before, happened, NOW + 1)
        assert refused.value.code == "illegal_transition"
        assert before == rollout(phase, version=7)
        return
    after = apply(before, happened, NOW + 1)
    assert after.phase is TRANSITIONS[phase, happened]
    assert after.version == 8
    assert after.since == (NOW + 1 if after.phase is not phase else NOW)
    assert (after.ended_at == NOW + 1) is after.final
    assert before == rollout(phase, version=7)


def test_the_shape_of_the_table() -> None:
    """Written out by hand, so that a slip in the table is a difference here."""
    expected = """
    preparing prepared starting | starting started proving | proving proved shifting
    shifting step_held shifting | shifting shifted baking
    baking settled baking | baking baked draining | baking superseded draining | baking closed done
    draining drained retiring | retiring retired done
    preparing failed aborting | starting failed aborting | proving failed aborting
    preparing cancelled aborting | starting cancelled aborting | proving cancelled aborting
    preparing superseded aborting | starting superseded aborting | proving superseded aborting
    aborting cleaned aborted
    shifting failed reverting | baking failed reverting
    draining failed reverting | retiring failed reverting
    shifting cancelled reverting | baking cancelled reverting
    shifting rolled_back reverting | baking rolled_back reverting | draining rolled_back reverting
    reverting reverted reverted
    """
    rows = {tuple(row.split()) for line in expected.strip().splitlines() for row in line.split("|")}
    waiting = "preparing starting proving shifting baking draining"
    rows |= {(p, said, p) for p in waiting.split() for said in ("paused", "resumed", "promoted")}
    assert rows == {(str(p), str(h), str(after)) for (p, h), after in TRANSITIONS.items()}


def test_every_phase_ends_and_no_final_phase_goes_on() -> None:
    for phase in Phase:
        reached, todo = {phase}, [phase]
        while todo:
            here = todo.pop()
            todo += (found := {after for (p, _), after in TRANSITIONS.items() if p is here} - reached)
            reached |= found
        assert reached & FINAL, phase
        assert phase not in FINAL or reached == {phase}
    assert not BEFORE_TRAFFIC & AFTER_TRAFFIC


def test_a_failure_aborts_before_traffic_moved_and_reverts_after() -> None:
    for phase in BEFORE_TRAFFIC:
        assert TRANSITIONS[phase, Happened.FAILED] is Phase.ABORTING
    for phase in AFTER_TRAFFIC:
        assert TRANSITIONS[phase, Happened.FAILED] is Phase.REVERTING


def test_what_apply_notes() -> None:
    proved = apply(rollout(Phase.PROVING, step=3), Happened.PROVED, NOW + 1)
    assert (proved.step, proved.step_since) == (0, NOW + 1)
    held = apply(proved, Happened.STEP_HELD, NOW + 2)
    assert (held.step, held.step_since, held.since) == (1, NOW + 2, NOW + 1)
    shifted = apply(held, Happened.SHIFTED, NOW + 3)
    assert (shifted.shifted_at, shifted.settled) == (NOW + 3, False)
    assert apply(shifted, Happened.SETTLED, NOW + 4).settled
    reason = Reason(code="c", message="m")
    failed = apply(shifted, Happened.FAILED, NOW + 5, reason)
    assert apply(failed, Happened.REVERTED, NOW + 6).reason is reason


@pytest.mark.parametrize(
    ("shares", "seen"),
    [((100,), [100]), ((10, 50, 100), [10, 50, 100]), ((10, 50), [10, 50, 100]), ((), [100])],
)
def test_the_shares_always_end_with_all_of_it(shares: tuple[int, ...], seen: list[int]) -> None:
    steps = rollout(policy=replace(POLICY, shares=shares))
    assert [replace(steps, step=step).share for step in range(len(seen))] == seen
    assert replace(steps, step=99).share == 100
