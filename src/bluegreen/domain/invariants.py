"""The last gate before a step: what must hold, checked on fresh facts, whoever decided.

Used by the engine before every step and by the property tests after every one.
"""

from __future__ import annotations

from bluegreen.domain.facts import Facts, PoolView
from bluegreen.domain.naming import PoolId
from bluegreen.domain.rollout import Phase, Rollout
from bluegreen.domain.steps import Cut, SetWeights, Step, StopPool

AFTER_USERS = frozenset({Phase.RETIRING, Phase.REVERTING})


def violations(rollout: Rollout, facts: Facts, step: Step) -> tuple[str, ...]:
    """Return what speaks against ``step`` now; empty when it may be performed."""
    match step:
        case Cut(pool):
            return _carrying(facts, pool)
        case StopPool(pool):
            return _stopping(rollout, facts, pool)
        case SetWeights(_, weights):
            return _weights(rollout, facts, {p: w for p, w in weights.items() if w > 0})
        case _:
            return ()


def no_way_back(rollout: Rollout, target: PoolView, source: PoolView | None) -> str:
    """Return why going back would only lose the traffic; empty when it would not."""
    if not rollout.routes or source is None or _serves(source) or not _serves(target):
        return ""
    return f"{source.id} has no instance that serves"


def _serves(pool: PoolView) -> bool:
    return any(not i.failing for i in pool.instances)


def _stopping(rollout: Rollout, facts: Facts, pool: PoolId) -> tuple[str, ...]:
    if not rollout.routes:
        return ()
    if facts.weights is None:
        return ("the balancer does not say who has the traffic",)
    # Only what had users: who is not heard of cannot lead anybody to a color that never got traffic.
    found = _carrying(facts, pool) + (facts.unheard if rollout.phase in AFTER_USERS else ())
    return found + tuple(_source_may_end(rollout, facts)) if pool == rollout.source else found


def _carrying(facts: Facts, pool: PoolId) -> tuple[str, ...]:
    return tuple(
        f"{pool} still has {weights[pool]} % of {route}"
        for route, weights in (facts.weights or {}).items()
        if weights.get(pool, 0) > 0
    )


def _source_may_end(rollout: Rollout, facts: Facts) -> list[str]:
    found = []
    if not facts.target.well(facts.now):
        found.append("the new color has no healthy instance")
    if rollout.phase is not Phase.RETIRING:
        found.append(f"the old color is not stopped while {rollout.phase}")
    return found


def _weights(rollout: Rollout, facts: Facts, weights: dict[PoolId, int]) -> tuple[str, ...]:
    if weights and sum(weights.values()) != 100:
        return (f"shares sum to {sum(weights.values())}, not 100",)
    if rollout.phase is Phase.REVERTING:
        # Never gated on the new color's health; only an old one that is dead now does not get it back.
        why = no_way_back(rollout, facts.target, facts.source)
        return (why,) if why else ()
    unfit = [
        f"{pool.id} has no healthy instance"
        for pool in _views(facts)
        if pool.id == rollout.target and pool.id in weights and not pool.well(facts.now)
    ]
    return tuple(unfit)


def _views(facts: Facts) -> tuple[PoolView, ...]:
    return (facts.target,) if facts.source is None else (facts.target, facts.source)
