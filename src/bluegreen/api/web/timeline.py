"""A rollout as a line of phases: which are over, which one is now and until when, which follow. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bluegreen.domain.events import Event
from bluegreen.domain.rollout import BEFORE_TRAFFIC, Phase, Rollout

P = Phase

WORDS = {
    P.PREPARING: "the image is fetched",
    P.STARTING: "instances start",
    P.PROVING: "checks must pass",
    P.SHIFTING: "traffic moves",
    P.BAKING: "watched; the way back is warm",
    P.DRAINING: "the old color's requests end",
    P.RETIRING: "the old color stops",
    P.DONE: "the new color is live",
    P.ABORTING: "cleaning up; no traffic had moved",
    P.ABORTED: "ended before any traffic moved",
    P.REVERTING: "traffic goes back",
    P.REVERTED: "traffic is back where it was",
}

_WRONG = frozenset({P.ABORTING, P.ABORTED, P.REVERTING, P.REVERTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """``state`` is ``over``, ``now`` or ``ahead``; ``wrong`` where it failed or goes back; ``events`` are
    what happened in it, oldest first."""

    phase: Phase
    state: str
    words: str
    wrong: bool
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """``left`` is how many seconds the present phase has at most; ``None`` where nothing bounds it."""

    rollout: Rollout
    stages: tuple[Stage, ...]
    left: float | None = None
    why_left: str = ""

    @property
    def elapsed(self) -> float:
        return self.rollout.shifted_at - self.rollout.created_at if self.rollout.shifted_at else 0.0


def timeline(rollout: Rollout, events: Sequence[Event], now: float) -> Timeline:
    """Return the line of ``rollout``; ``events`` are its own, oldest first."""
    path = _path(rollout, events)
    here = path.index(rollout.phase)
    stages, during = [], _during(events)
    for position, phase in enumerate(path):
        own = tuple(event for event, of in during if of == phase)
        stages.append(
            Stage(
                phase=phase,
                state=_state(position, here, final=rollout.final),
                words=WORDS[phase],
                wrong=phase in _WRONG or any(event.level == "error" for event in own),
                events=own,
            )
        )
    left, why = _left(rollout, now)
    return Timeline(rollout=rollout, stages=tuple(stages), left=left, why_left=why)


def _during(events: Sequence[Event]) -> list[tuple[Event, str]]:
    """Return each event with the phase in which it happened: what it tells is often that phase's end."""
    phases = [event.data.get("phase", "") for event in events]
    return list(zip(events, [*phases[:1], *phases[:-1]], strict=True))


def _path(rollout: Rollout, events: Sequence[Event]) -> list[Phase]:
    """Return the phases it went through and, unless it goes back, those that follow."""
    told = [Phase(e.data["phase"]) for e in events if e.data.get("phase") in set(Phase)]
    seen = list(dict.fromkeys([*told, rollout.phase]))
    if rollout.phase in _WRONG:
        ends = {P.ABORTING: P.ABORTED, P.REVERTING: P.REVERTED}
        return [*seen, ends[rollout.phase]] if rollout.phase in ends else seen
    if rollout.final:
        return seen
    plan = _plan(rollout)
    after = plan[plan.index(rollout.phase) + 1 :] if rollout.phase in plan else []
    return [*seen, *(phase for phase in after if phase not in seen)]


def _plan(rollout: Rollout) -> list[Phase]:
    plan = [P.PREPARING, P.STARTING] if rollout.starts_target else []
    plan += [P.PROVING, P.SHIFTING]
    plan += [P.BAKING] if rollout.source is not None else []
    plan += [P.DRAINING, P.RETIRING] if rollout.retire_source and rollout.source is not None else []
    return [*plan, P.DONE]


def _state(position: int, here: int, *, final: bool) -> str:
    if position < here or final:
        return "over"
    return "now" if position == here else "ahead"


def _left(rollout: Rollout, now: float) -> tuple[float | None, str]:
    now = rollout.clock(now)
    policy, spent = rollout.policy, now - rollout.since
    if rollout.phase in BEFORE_TRAFFIC:
        return max(policy.start_deadline - spent, 0.0), "until it is given up"
    if rollout.phase is P.BAKING:
        return max(policy.bake - spent, 0.0), "of the way back"
    if rollout.phase is P.DRAINING:
        return max(policy.drain - spent, 0.0), "until what is left is cut"
    if rollout.phase is P.SHIFTING and rollout.share < 100:
        return max(policy.step_pause - (now - rollout.step_since), 0.0), "until the next step"
    return None, ""
