"""Each phase: what is seen in, the one decision out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.decide import Decision, Do, Record, Wait, decide, shares
from bluegreen.domain.facts import Facts
from bluegreen.domain.health import Verdict
from bluegreen.domain.instance import InstanceState
from bluegreen.domain.rollout import FINAL, Happened, Kind, Phase, Rollout
from bluegreen.domain.routing import ServerHealth
from bluegreen.domain.steps import Admit, Prepare, SetWeights, StartPool, StopPool
from tests.unit.domain.cases import BLUE, DOWN, GREEN, NOW, POLICY, WEB, facts, on_green, one, rollout, view

SICK, STARTING = Verdict.SICK, Verdict.STARTING
EXITED, CREATED, RESTARTING = InstanceState.EXITED, InstanceState.CREATED, InstanceState.RESTARTING
WAIT = "wait"
H = Happened
ALL_GREEN, ALL_BLUE = SetWeights((WEB,), {GREEN: 100}), SetWeights((WEB,), {BLUE: 100})


def went(decision: Decision) -> object:
    """Return the decision in one word: a step, what happened (with the reason's code), or ``wait``."""
    match decision:
        case Do(step):
            return step
        case Record(happened, None):
            return happened
        case Record(happened, reason):
            assert reason.message
            assert reason.hint
            return (happened, reason.code)
        case Wait(seconds, why):
            assert seconds is not None
            assert seconds > 0
            assert why
            return WAIT


def switch(phase: Phase, **fields: Any) -> Rollout:
    return rollout(phase, kind=Kind.SWITCH, starts_target=False, retire_source=False, release=0, **fields)


def unrouted(phase: Phase, **fields: Any) -> Rollout:
    return rollout(phase, routes=(), **fields)


def target(*found: Any, **fields: Any) -> Facts:
    return facts(target=view(GREEN, *found, **fields))


GONE = view(GREEN)
NO_SOURCE = {"source": None}
P = Phase
TWO = {"replicas": 2}

PREPARING = [
    ("the image is fetched", rollout(), facts(), Prepare()),
    ("a switch has nothing to prepare", switch(P.PREPARING), facts(), H.PREPARED),
    ("a dependency is awaited", rollout(), facts(waiting_for=("db",)), WAIT),
    ("a dependency that failed", rollout(), facts(failed_dependency="db"), (H.FAILED, "dependency_failed")),
    ("too late", rollout(), facts(now=NOW + 901), (H.FAILED, "deadline")),
    (
        "too late for a dependency",
        rollout(),
        facts(now=NOW + 901, waiting_for=("db",)),
        (H.FAILED, "deadline"),
    ),
]
STARTING_ = [
    ("nothing runs yet", rollout(P.STARTING), facts(target=GONE), StartPool(GREEN, 1)),
    ("one of two runs", rollout(P.STARTING, **TWO), facts(), StartPool(GREEN, 2)),
    ("all run", rollout(P.STARTING), facts(), H.STARTED),
    ("one was only created", rollout(P.STARTING), target(one(GREEN, state=CREATED)), StartPool(GREEN, 1)),
    ("one comes back", rollout(P.STARTING), target(one(GREEN, state=RESTARTING, restarts=1)), WAIT),
    ("one ended", rollout(P.STARTING), target(one(GREEN, state=EXITED)), (H.FAILED, "instance_exited")),
    (
        "one ran out of memory",
        rollout(P.STARTING),
        target(one(GREEN, state=EXITED, oom_killed=True)),
        (H.FAILED, "out_of_memory"),
    ),
    (
        "one keeps ending",
        rollout(P.STARTING),
        target(one(GREEN, state=RESTARTING, restarts=3)),
        (H.FAILED, "crash_loop"),
    ),
    (
        "one keeps running out of memory",
        rollout(P.STARTING),
        target(one(GREEN, state=RESTARTING, restarts=3, oom_killed=True)),
        (H.FAILED, "out_of_memory"),
    ),
    ("no port is known", rollout(P.STARTING), target(one(GREEN, port=None)), (H.FAILED, "no_port")),
    ("no port is needed", unrouted(P.STARTING), target(one(GREEN, port=None)), H.STARTED),
    ("too late", rollout(P.STARTING), facts(target=GONE, now=NOW + 61), (H.FAILED, "deadline")),
    (
        "what cannot run twice: stop first",
        unrouted(P.STARTING, policy=replace(POLICY, stop_first=True)),
        facts(target=GONE),
        StopPool(BLUE),
    ),
    (
        "what cannot run twice: then start",
        unrouted(P.STARTING, policy=replace(POLICY, stop_first=True)),
        facts(target=GONE, source=view(BLUE)),
        StartPool(GREEN, 1),
    ),
    ("a switch starts nothing", switch(P.STARTING), facts(target=GONE), H.STARTED),
]
PROVING = [
    ("well and up", rollout(P.PROVING), facts(), H.PROVED),
    ("well, unknown to the balancer", rollout(P.PROVING), target(one(GREEN, server=None)), Admit(GREEN)),
    ("well, not yet up", rollout(P.PROVING), target(one(GREEN, server=DOWN)), WAIT),
    (
        "the balancer has no check",
        rollout(P.PROVING),
        target(one(GREEN, server=ServerHealth.UNCHECKED, last_check="")),
        H.PROVED,
    ),
    ("not yet well", rollout(P.PROVING), target(one(GREEN, verdict=STARTING)), WAIT),
    ("sick has time to get well", rollout(P.PROVING), target(one(GREEN, verdict=SICK)), WAIT),
    ("one of two well", rollout(P.PROVING, **TWO), facts(), WAIT),
    ("no instance is nothing", rollout(P.PROVING, replicas=0), facts(target=GONE), WAIT),
    ("no instance is wanted", unrouted(P.PROVING, replicas=0), facts(target=GONE), H.PROVED),
    (
        "never well",
        rollout(P.PROVING),
        facts(now=NOW + 61, target=view(GREEN, one(GREEN, verdict=SICK))),
        (H.FAILED, "never_healthy"),
    ),
    (
        "never up at the balancer",
        rollout(P.PROVING),
        facts(now=NOW + 61, target=view(GREEN, one(GREEN, server=DOWN))),
        (H.FAILED, "balancer_check_failed"),
    ),
    ("ended", rollout(P.PROVING), target(one(GREEN, state=EXITED)), (H.FAILED, "instance_exited")),
    (
        "the balancer is silent",
        rollout(P.PROVING),
        facts(weights=None, target=view(GREEN, one(GREEN, server=None))),
        WAIT,
    ),
    ("no route to prove", unrouted(P.PROVING), target(one(GREEN, server=None)), H.PROVED),
    (
        "no check: it must have run a while",
        unrouted(P.PROVING),
        target(one(GREEN, started_at=NOW, verdict=STARTING), check=HealthCheck(kind=CheckKind.NONE)),
        WAIT,
    ),
    (
        "a switch to a sick color",
        switch(P.PROVING),
        target(one(GREEN, verdict=SICK)),
        (H.FAILED, "target_unhealthy"),
    ),
    ("a switch to nothing", switch(P.PROVING), facts(target=GONE), (H.FAILED, "target_unhealthy")),
    ("a switch waits for a fresh probe", switch(P.PROVING), target(one(GREEN, verdict=STARTING)), WAIT),
    (
        "a switch does not wait long",
        switch(P.PROVING),
        facts(now=NOW + 11, target=view(GREEN, one(GREEN, verdict=STARTING))),
        (H.FAILED, "never_healthy"),
    ),
    (
        "a sick source is no matter",
        rollout(P.PROVING),
        facts(source=view(BLUE, one(BLUE, verdict=SICK))),
        H.PROVED,
    ),
]
CANARY = replace(POLICY, shares=(20, 100))
SHARED = {WEB: {GREEN: 20, BLUE: 80}}
SHIFTING = [
    ("all at once", rollout(P.SHIFTING), facts(), ALL_GREEN),
    ("carried", rollout(P.SHIFTING), on_green(), H.SHIFTED),
    ("zero shares do not count", rollout(P.SHIFTING), facts(weights={WEB: {GREEN: 100, BLUE: 0}}), H.SHIFTED),
    ("a first share", rollout(P.SHIFTING, policy=CANARY), facts(), SetWeights((WEB,), {GREEN: 20, BLUE: 80})),
    ("a share is held", rollout(P.SHIFTING, policy=CANARY), facts(weights=SHARED), WAIT),
    (
        "a share was held",
        rollout(P.SHIFTING, policy=CANARY),
        facts(weights=SHARED, now=NOW + 10),
        H.STEP_HELD,
    ),
    ("the last share", rollout(P.SHIFTING, policy=CANARY, step=1), facts(weights=SHARED), ALL_GREEN),
    (
        "a first deploy has no shares",
        rollout(P.SHIFTING, policy=CANARY, source=None),
        facts(source=None),
        ALL_GREEN,
    ),
    ("the balancer is silent", rollout(P.SHIFTING), facts(weights=None), WAIT),
    ("no route to move", unrouted(P.SHIFTING), facts(weights={}), H.SHIFTED),
    (
        "sick under traffic",
        rollout(P.SHIFTING, policy=CANARY),
        facts(weights=SHARED, target=view(GREEN, one(GREEN, verdict=SICK))),
        (H.FAILED, "went_bad"),
    ),
    (
        "dead before it had any",
        rollout(P.SHIFTING),
        facts(target=GONE, source=view(BLUE)),
        (H.FAILED, "went_bad"),
    ),
    (
        "a first deploy dead before it had any",
        rollout(P.SHIFTING, source=None),
        facts(target=GONE, source=None, weights={WEB: {}}),
        (H.FAILED, "went_bad"),
    ),
    (
        "not yet probed by a new controller",
        rollout(P.SHIFTING),
        target(one(GREEN, verdict=STARTING)),
        ALL_GREEN,
    ),
]
SETTLED = {"settled": True}
BAKING = [
    (
        "requests end on the old color",
        rollout(P.BAKING),
        on_green(source=view(BLUE, one(BLUE), in_flight=3)),
        WAIT,
    ),
    ("nothing is in flight", rollout(P.BAKING), on_green(), H.SETTLED),
    ("in flight is unknown", rollout(P.BAKING), on_green(source=view(BLUE, one(BLUE), in_flight=None)), WAIT),
    (
        "the drain is over",
        rollout(P.BAKING),
        on_green(now=NOW + 30, source=view(BLUE, one(BLUE), in_flight=3)),
        H.SETTLED,
    ),
    ("the way back is open", rollout(P.BAKING, **SETTLED), on_green(), WAIT),
    ("the way back ends", rollout(P.BAKING, **SETTLED), on_green(now=NOW + 300), H.BAKED),
    ("a switch keeps the old color", switch(P.BAKING, **SETTLED), on_green(now=NOW + 300), H.CLOSED),
    (
        "a first deploy has no way back",
        rollout(P.BAKING, source=None, **SETTLED),
        on_green(source=None),
        H.CLOSED,
    ),
    ("without traffic there is nothing to watch", unrouted(P.BAKING, **SETTLED), facts(weights={}), H.BAKED),
    ("the weights were lost", rollout(P.BAKING, **SETTLED), facts(weights={WEB: {}}), ALL_GREEN),
    ("the balancer is silent", rollout(P.BAKING, **SETTLED), facts(weights=None), WAIT),
    (
        "sick",
        rollout(P.BAKING, **SETTLED),
        on_green(target=view(GREEN, one(GREEN, verdict=SICK))),
        (H.FAILED, "went_bad"),
    ),
    (
        "dead",
        rollout(P.BAKING, **SETTLED),
        on_green(target=view(GREEN, one(GREEN, state=EXITED))),
        (H.FAILED, "went_bad"),
    ),
    ("gone", rollout(P.BAKING, **SETTLED), on_green(target=GONE), (H.FAILED, "went_bad")),
    (
        "crash-looping",
        rollout(P.BAKING, **SETTLED),
        on_green(target=view(GREEN, one(GREEN, restarts=3))),
        (H.FAILED, "crash_loop"),
    ),
    (
        "not yet probed by a new controller",
        rollout(P.BAKING, **SETTLED),
        on_green(target=view(GREEN, one(GREEN, verdict=STARTING))),
        WAIT,
    ),
    (
        "one of two sick is borne",
        rollout(P.BAKING, **SETTLED, **TWO),
        on_green(target=view(GREEN, one(GREEN), one(GREEN, 2, verdict=SICK))),
        WAIT,
    ),
    ("scaled down is not sick", rollout(P.BAKING, **SETTLED, replicas=4), on_green(), WAIT),
    (
        "both sick: it stays",
        rollout(P.BAKING, **SETTLED),
        on_green(target=view(GREEN, one(GREEN, verdict=SICK)), source=view(BLUE, one(BLUE, verdict=SICK))),
        WAIT,
    ),
    (
        "the old color is unproved: it stays",
        rollout(P.BAKING, **SETTLED),
        on_green(
            target=view(GREEN, one(GREEN, verdict=SICK)), source=view(BLUE, one(BLUE, verdict=STARTING))
        ),
        WAIT,
    ),
    (
        "a rollback is never rolled back",
        rollout(P.BAKING, kind=Kind.ROLLBACK, **SETTLED),
        on_green(target=view(GREEN, one(GREEN, verdict=SICK))),
        WAIT,
    ),
    (
        "a switch goes back too",
        switch(P.BAKING, **SETTLED),
        on_green(target=view(GREEN, one(GREEN, verdict=SICK))),
        (H.FAILED, "went_bad"),
    ),
]
ENDING = [
    (
        "draining: requests end",
        rollout(P.DRAINING),
        on_green(source=view(BLUE, one(BLUE), in_flight=1)),
        WAIT,
    ),
    (
        "draining: unknown is not idle",
        rollout(P.DRAINING),
        on_green(source=view(BLUE, one(BLUE), in_flight=None)),
        WAIT,
    ),
    ("draining: idle", rollout(P.DRAINING), on_green(), H.DRAINED),
    (
        "draining: the deadline",
        rollout(P.DRAINING),
        on_green(now=NOW + 30, source=view(BLUE, one(BLUE), in_flight=1)),
        H.DRAINED,
    ),
    ("draining: no source", rollout(P.DRAINING, source=None), on_green(source=None), H.DRAINED),
    ("draining: sick", rollout(P.DRAINING), on_green(target=GONE), (H.FAILED, "went_bad")),
    ("retiring: stop", rollout(P.RETIRING), on_green(), StopPool(BLUE)),
    ("retiring: stopped", rollout(P.RETIRING), on_green(source=view(BLUE)), H.RETIRED),
    ("retiring: sick", rollout(P.RETIRING), on_green(target=GONE), (H.FAILED, "went_bad")),
    ("aborting: stop", rollout(P.ABORTING), facts(), StopPool(GREEN)),
    ("aborting: nothing left", rollout(P.ABORTING), facts(target=GONE), H.CLEANED),
    ("aborting: a switch stops nothing", switch(P.ABORTING), facts(), H.CLEANED),
    ("reverting: weights first", rollout(P.REVERTING), on_green(), ALL_BLUE),
    (
        "reverting: also when the new one is well or gone",
        rollout(P.REVERTING),
        on_green(target=GONE),
        ALL_BLUE,
    ),
    (
        "reverting: the old one is put back first",
        rollout(P.REVERTING),
        on_green(source=view(BLUE, one(BLUE, server=None))),
        Admit(BLUE),
    ),
    ("reverting: the balancer is silent", rollout(P.REVERTING), facts(weights=None), WAIT),
    (
        "reverting: requests end on the new color",
        rollout(P.REVERTING),
        facts(target=view(GREEN, one(GREEN), in_flight=2)),
        WAIT,
    ),
    (
        "reverting: the deadline",
        rollout(P.REVERTING),
        facts(now=NOW + 30, target=view(GREEN, one(GREEN), in_flight=2)),
        StopPool(GREEN),
    ),
    ("reverting: then stop", rollout(P.REVERTING), facts(), StopPool(GREEN)),
    ("reverting: done", rollout(P.REVERTING), facts(target=GONE), H.REVERTED),
    ("reverting: a switch stops nothing", switch(P.REVERTING), facts(), H.REVERTED),
    (
        "reverting: a first deploy leaves no weights",
        rollout(P.REVERTING, source=None),
        on_green(source=None),
        SetWeights((WEB,), {}),
    ),
    ("reverting: no routes", unrouted(P.REVERTING), facts(weights={}), StopPool(GREEN)),
]
TABLE = [
    pytest.param(state, seen, wanted, id=f"{state.phase}: {name}")
    for rows in (PREPARING, STARTING_, PROVING, SHIFTING, BAKING, ENDING)
    for name, state, seen, wanted in rows
]


@pytest.mark.parametrize(("state", "seen", "wanted"), TABLE)
def test_decide(state: Rollout, seen: Facts, wanted: object) -> None:
    assert went(decide(state, seen)) == wanted


@pytest.mark.parametrize("phase", sorted(FINAL))
def test_nothing_is_decided_of_what_has_ended(phase: Phase) -> None:
    with pytest.raises(KeyError):
        decide(rollout(phase), facts())


def test_shares_always_sum_to_a_hundred() -> None:
    for share in range(101):
        assert sum(shares(rollout(), share).values()) == 100
