"""What to do next in a rollout: ``decide(rollout, facts)``, one short function for each phase.

Level-triggered: it looks only at the rollout's journal state and at fresh facts, so going on after
a crash is the same as going on. It never changes anything; the engine records and performs. Which
phase follows which is :mod:`bluegreen.domain.rollout`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bluegreen.domain import reasons, sickness
from bluegreen.domain.facts import Facts, PoolView
from bluegreen.domain.instance import InstanceState
from bluegreen.domain.naming import PoolId
from bluegreen.domain.rollout import AFTER_TRAFFIC, Happened, Kind, Phase, Reason, Rollout
from bluegreen.domain.steps import Admit, Cut, Prepare, SetWeights, StartPool, Step, StopPool

PREPARE_DEADLINE = 900.0
"""Seconds an image may take to arrive."""

SWITCH_DEADLINE = 10.0
"""Seconds within which a color that already runs must prove itself."""

LOOK_AGAIN = 0.25
"""Seconds until the next look where no event announces the change that is waited for."""

LOOK_SOON = 0.02
"""The same while a person waits for the very next moment."""

LOOK_PAUSED = 1.0
"""The same while a person holds the rollout, perhaps for hours."""


@dataclass(frozen=True, slots=True)
class Do:
    step: Step


@dataclass(frozen=True, slots=True)
class Record:
    happened: Happened
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until an event arrives or ``seconds`` have passed."""

    seconds: float | None
    why: str


Decision = Do | Record | Wait


def decide(rollout: Rollout, facts: Facts) -> Decision:
    """Return the one thing to do, record or wait for. Raises ``KeyError`` for a final rollout."""
    if rollout.phase in AFTER_TRAFFIC and (bad := _went_bad(rollout, facts)) is not None:
        return bad
    decision = _PHASES[rollout.phase](rollout, facts)
    if rollout.paused and _goes_further(rollout, decision):
        return Wait(LOOK_PAUSED, "a person holds it")
    return decision


_FURTHER = frozenset({Happened.PROVED, Happened.STEP_HELD, Happened.BAKED, Happened.CLOSED, Happened.DRAINED})
"""What leads to more traffic on the new color, or to the end of the old one."""


def _goes_further(rollout: Rollout, decision: Decision) -> bool:
    """Return whether ``decision`` takes users, or their way back, further than a person who paused wants.

    What is only made ready, what keeps shares as they are to be, and every failure, is not held up.
    """
    match decision:
        case Record(happened):
            return happened in _FURTHER
        case Do(StopPool(pool)):
            return pool == rollout.source  # what cannot run twice is stopped before its successor starts
        case Do(Cut()):
            return True
        case _:
            return False


def _preparing(rollout: Rollout, facts: Facts) -> Decision:
    if not rollout.starts_target:
        return Record(Happened.PREPARED)
    if facts.failed_dependency:
        return Record(Happened.FAILED, reasons.dependency_failed(facts.failed_dependency))
    late = _late(rollout, facts, "preparing the image", PREPARE_DEADLINE)
    if late is None and facts.waiting_for:
        # What another service's loop achieves is no event in this one.
        return Wait(LOOK_AGAIN, f"waiting for {', '.join(facts.waiting_for)}")
    return late or Do(Prepare())


def _starting(rollout: Rollout, facts: Facts) -> Decision:
    if not rollout.starts_target:
        return Record(Happened.STARTED)
    if (failed := _failed(sickness.crash(rollout, facts.target))) is not None:
        return failed
    begun = [i for i in facts.target.instances if i.instance.state is not InstanceState.CREATED]
    if len(begun) >= rollout.replicas:
        if all(i.instance.running for i in facts.target.instances):
            return Record(Happened.STARTED)
        return _start_late(rollout, facts) or Wait(LOOK_AGAIN, "instances are starting")
    if rollout.policy.stop_first and facts.source is not None and facts.source.instances:
        return Do(StopPool(facts.source.id))
    return _start_late(rollout, facts) or Do(StartPool(rollout.target, rollout.replicas))


def _proving(rollout: Rollout, facts: Facts) -> Decision:
    target = facts.target
    bad = sickness.crash(rollout, target) or sickness.unfit_for_switch(rollout, target, facts.now)
    if bad is not None:
        return Record(Happened.FAILED, bad)
    well = target.well(facts.now)
    expired = rollout.clock(facts.now) >= rollout.since + _patience(rollout, target)
    if len(well) < max(rollout.replicas, 1 if rollout.routes else 0):
        if expired:
            slow = sickness.keeps_ending(rollout, target, facts.now)
            return Record(Happened.FAILED, slow or reasons.never_healthy(rollout, facts))
        return Wait(LOOK_AGAIN, f"{len(well)} of {rollout.replicas} instances healthy")
    if not rollout.routes:
        return Record(Happened.PROVED)
    return _proved_by_balancer(rollout, facts, expired)


def _patience(rollout: Rollout, target: PoolView) -> float:
    """A start period that is longer than the deadline extends it: it was said of this application."""
    if not rollout.starts_target:
        return SWITCH_DEADLINE
    return max(rollout.policy.start_deadline, target.check.start_period)


def _proved_by_balancer(rollout: Rollout, facts: Facts, expired: bool) -> Decision:
    if all(i.confirmed for i in facts.target.instances):
        return Record(Happened.PROVED)
    if expired:
        return Record(Happened.FAILED, reasons.balancer_disagrees(facts.target))
    if any(i.server is None for i in facts.target.instances) and facts.weights is not None:
        return Do(Admit(rollout.target))
    return Wait(LOOK_SOON, "the balancer is checking the new instances")


def _shifting(rollout: Rollout, facts: Facts) -> Decision:
    if not rollout.routes:
        return Record(Happened.SHIFTED)
    if facts.weights is None:
        return Wait(LOOK_AGAIN, "the balancer does not answer")
    wanted = shares(rollout, rollout.share)
    if not _carries(rollout, facts, wanted):
        return _lost_before_traffic(rollout, facts) or Do(SetWeights(rollout.routes, wanted))
    if rollout.share >= 100:
        return Record(Happened.SHIFTED)
    left = rollout.step_since + rollout.policy.step_pause - rollout.clock(facts.now)
    return (
        Wait(min(left, LOOK_AGAIN), f"{rollout.share} % on the new color")
        if left > 0
        else Record(Happened.STEP_HELD)
    )


def _lost_before_traffic(rollout: Rollout, facts: Facts) -> Record | None:
    """Give up on a target that turned sick before it had any traffic: the old color keeps all of it."""
    untouched = all(not w.get(rollout.target) for w in (facts.weights or {}).values())
    return _failed(sickness.turned_bad(rollout, facts.target, facts.now)) if untouched else None


def _baking(rollout: Rollout, facts: Facts) -> Decision:
    if rollout.routes and facts.weights is not None:
        wanted = shares(rollout, 100)
        if not _carries(rollout, facts, wanted):
            return Do(SetWeights(rollout.routes, wanted))
    if (cut := _cut(rollout, facts.source, rollout.shifted_at, rollout.clock(facts.now))) is not None:
        return cut
    if not rollout.settled:
        return _settling(rollout, facts)
    if facts.source is None:
        return Record(Happened.CLOSED)
    bake = rollout.policy.bake if rollout.routes else 0.0
    left = rollout.shifted_at + bake - rollout.clock(facts.now)
    if left > 0:
        return Wait(min(left, LOOK_AGAIN), "the old color is kept warm")
    return Record(Happened.BAKED if rollout.retire_source else Happened.CLOSED)


def _cut(rollout: Rollout, pool: PoolView | None, since: float, now: float) -> Do | None:
    """Close what never ends by itself, once its time is over, on a color that no route leads to any more."""
    after = rollout.policy.cut_after
    if after is None or pool is None or not rollout.routes or not rollout.retire_source:
        return None  # the source of a switch may carry other routes
    return None if pool.idle or pool.in_flight is None or now < since + after else Do(Cut(pool.id))


def _settling(rollout: Rollout, facts: Facts) -> Decision:
    overdue = rollout.clock(facts.now) >= rollout.shifted_at + rollout.policy.drain
    if not rollout.routes or facts.source is None or facts.source.idle or overdue:
        return Record(Happened.SETTLED)
    return Wait(LOOK_SOON, f"{facts.source.in_flight} requests end on the old color")


def _draining(rollout: Rollout, facts: Facts) -> Decision:
    overdue = rollout.clock(facts.now) >= rollout.since + rollout.policy.drain
    if facts.source is None or not rollout.routes or facts.source.idle or overdue:
        return Record(Happened.DRAINED)
    return Wait(LOOK_SOON, f"{facts.source.in_flight} requests end on the old color")


def _retiring(rollout: Rollout, facts: Facts) -> Decision:
    if facts.source is None or not facts.source.instances:
        return Record(Happened.RETIRED)
    return Do(StopPool(facts.source.id))


def _aborting(rollout: Rollout, facts: Facts) -> Decision:
    if not rollout.starts_target or not facts.target.instances:
        return Record(Happened.CLEANED)
    return Do(StopPool(rollout.target))


def _reverting(rollout: Rollout, facts: Facts) -> Decision:
    """Weights first, in one step, whatever the state of the new color; then clean up."""
    if rollout.routes:
        if facts.weights is None:
            return Wait(LOOK_AGAIN, "the balancer does not answer")
        back = {} if rollout.source is None else {rollout.source: 100}
        if not _carries(rollout, facts, back):
            return _readmit(facts) or Do(SetWeights(rollout.routes, back))
    if not rollout.starts_target or not facts.target.instances:
        return Record(Happened.REVERTED)
    overdue = facts.now >= rollout.since + rollout.policy.drain
    if not overdue and (cut := _cut(rollout, facts.target, rollout.since, facts.now)) is not None:
        return cut
    if rollout.routes and not facts.target.idle and not overdue:
        return Wait(LOOK_SOON, f"{facts.target.in_flight} requests end on the new color")
    return Do(StopPool(rollout.target))


def _readmit(facts: Facts) -> Do | None:
    """Put what is well of the old color behind the balancer again, where it was taken out to end."""
    source = facts.source
    if source is None or any(i.server is not None for i in source.instances):
        return None
    return Do(Admit(source.id)) if any(i.instance.reachable for i in source.well(facts.now)) else None


_PHASES: dict[Phase, Callable[[Rollout, Facts], Decision]] = {
    Phase.PREPARING: _preparing,
    Phase.STARTING: _starting,
    Phase.PROVING: _proving,
    Phase.SHIFTING: _shifting,
    Phase.BAKING: _baking,
    Phase.DRAINING: _draining,
    Phase.RETIRING: _retiring,
    Phase.ABORTING: _aborting,
    Phase.REVERTING: _reverting,
}


def shares(rollout: Rollout, share: int) -> Mapping[PoolId, int]:
    """Return the weights that give ``share`` percent to the target and the rest to the source."""
    if share >= 100 or rollout.source is None:
        return {rollout.target: 100}
    return {rollout.target: share, rollout.source: 100 - share}


def _carries(rollout: Rollout, facts: Facts, wanted: Mapping[PoolId, int]) -> bool:
    observed = facts.weights or {}
    return all(
        {pool: share for pool, share in observed.get(route, {}).items() if share > 0} == dict(wanted)
        for route in rollout.routes
    )


def _went_bad(rollout: Rollout, facts: Facts) -> Decision | None:
    """Return the way back when the new color turned sick under traffic and the old one is well."""
    if rollout.kind is Kind.ROLLBACK or not rollout.routes:
        return None  # a rollback is never rolled back
    if facts.source is None or not facts.source.well(facts.now):
        return None  # nowhere to go: keep what there is
    return _failed(sickness.turned_bad(rollout, facts.target, facts.now))


def _start_late(rollout: Rollout, facts: Facts) -> Record | None:
    late = _late(rollout, facts, "starting the instances", rollout.policy.start_deadline)
    return None if late is None else _failed(sickness.keeps_ending(rollout, facts.target, facts.now)) or late


def _late(rollout: Rollout, facts: Facts, what: str, seconds: float) -> Record | None:
    if rollout.clock(facts.now) < rollout.since + seconds:
        return None
    return Record(Happened.FAILED, reasons.deadline(rollout, what, seconds))


def _failed(reason: Reason | None) -> Record | None:
    return None if reason is None else Record(Happened.FAILED, reason)
