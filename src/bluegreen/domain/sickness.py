"""What speaks against the new color: its instances, looked at before and after it has traffic. Pure.

Called by :mod:`bluegreen.domain.decide`, which says what follows. Before traffic moved, one instance that
ended by itself is enough; afterwards the color must have lost half of what serves, or keep ending.
"""

from __future__ import annotations

from bluegreen.domain import reasons
from bluegreen.domain.facts import PoolView
from bluegreen.domain.health import Verdict
from bluegreen.domain.rollout import Reason, Rollout


def crash(rollout: Rollout, target: PoolView) -> Reason | None:
    """Return the failure of a new release that ended by itself, or can never take traffic."""
    if not rollout.starts_target:
        return None
    for one in target.instances:
        if rollout.routes and one.instance.running and one.instance.port is None:
            return reasons.no_port(one)
        if one.crashed:
            return reasons.crashed(one)
        if one.instance.restarts > rollout.policy.max_restarts:
            return reasons.crash_looping(one)
    return None


def keeps_ending(rollout: Rollout, target: PoolView, now: float) -> Reason | None:
    """Return the failure of a new release whose time is over because it kept ending, slowly."""
    ended = [i for i in target.instances if i.instance.restarts and not i.well(target.check, now)]
    return reasons.crash_looping(ended[0]) if ended and rollout.starts_target else None


def unfit_for_switch(rollout: Rollout, target: PoolView, now: float) -> Reason | None:
    """Refuse at once a switch to a color that runs but is sick, or does not run at all."""
    if rollout.starts_target:
        return None
    sick = [i for i in target.instances if i.crashed or i.health.verdict is Verdict.SICK]
    return reasons.not_healthy(target, now) if sick or not target.instances else None


def turned_bad(rollout: Rollout, target: PoolView, now: float) -> Reason | None:
    """Return why the color should lose its traffic, or not get it after all.

    One that died and was brought back counts as dead until it has proved itself again: its next death
    may be near, and there is a color that serves.
    """
    looping = [i for i in target.instances if i.instance.restarts > rollout.policy.max_restarts]
    if looping and rollout.starts_target:
        return reasons.crash_looping(looping[0])
    moved = rollout.shifted_at or rollout.since
    serving = [i for i in target.instances if not i.failing and not i.died_since(moved, target.check, now)]
    if not serving or len(serving) * 2 < len(target.instances):
        return reasons.went_bad(target, now)
    return None
