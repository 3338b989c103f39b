"""What a bad release does, seen by each phase: and that a slow one is not taken for a bad one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.domain.decide import Record, decide
from bluegreen.domain.facts import Facts
from bluegreen.domain.health import Health, Outcome, ProbeResult, Verdict
from bluegreen.domain.instance import InstanceState
from bluegreen.domain.rollout import Happened, Phase, Rollout
from bluegreen.domain.routing import ServerHealth
from tests.unit.domain.cases import BLUE, CHECK, DOWN, GREEN, NOW, on_green, one, rollout, view
from tests.unit.domain.test_decide import WAIT, target, went

SICK, STARTING = Verdict.SICK, Verdict.STARTING
RESTARTING, EXITED = InstanceState.RESTARTING, InstanceState.EXITED
P, H = Phase, Happened
PATIENT = replace(CHECK, start_period=90.0)
LATE = NOW + 61
CRASH_LOOP = (H.FAILED, "crash_loop")
WENT_BAD = (H.FAILED, "went_bad")
REBORN = {"restarts": 1, "started_at": NOW + 1, "verdict": STARTING}
"""It died after the traffic had moved and was brought back; nobody knows yet whether it is well."""


def proving_late(*found: Any, **fields: Any) -> Facts:
    return replace(target(*found, **fields), now=LATE)


def under_traffic(*found: Any, source: Any = None) -> Facts:
    return on_green(
        now=NOW + 2, target=view(GREEN, *found), source=source or view(BLUE, one(BLUE), in_flight=3)
    )


ROWS = [
    (
        "slow within its start period",
        rollout(P.PROVING),
        proving_late(one(GREEN, verdict=SICK), check=PATIENT),
        WAIT,
    ),
    (
        "slow beyond its start period",
        rollout(P.PROVING),
        replace(target(one(GREEN, verdict=SICK), check=PATIENT), now=NOW + 91),
        (H.FAILED, "never_healthy"),
    ),
    (
        "ended in its start period",
        rollout(P.PROVING),
        target(one(GREEN, state=EXITED), check=PATIENT),
        (H.FAILED, "instance_exited"),
    ),
    (
        "ends slowly, and its time is over",
        rollout(P.PROVING),
        proving_late(one(GREEN, restarts=1, verdict=STARTING)),
        CRASH_LOOP,
    ),
    (
        "is away between two ends when its time is over",
        rollout(P.STARTING),
        proving_late(one(GREEN, state=RESTARTING, restarts=2)),
        CRASH_LOOP,
    ),
    (
        "well, but the balancer has not asked it yet",
        rollout(P.PROVING),
        target(one(GREEN, server=ServerHealth.UNCHECKED, last_check="INI")),
        WAIT,
    ),
    (
        "came back once and is well",
        rollout(P.PROVING),
        proving_late(one(GREEN, restarts=1)),
        H.PROVED,
    ),
    (
        "half of the replicas",
        rollout(P.PROVING, replicas=2),
        proving_late(one(GREEN), one(GREEN, 2, verdict=SICK)),
        (H.FAILED, "never_healthy"),
    ),
    *(
        row
        for phase in (P.BAKING, P.DRAINING)
        for row in (
            (
                "died under traffic and came back",
                rollout(phase),
                under_traffic(one(GREEN, **REBORN)),
                WENT_BAD,
            ),
            (
                "died under traffic and is about to come back",
                rollout(phase),
                under_traffic(one(GREEN, state=RESTARTING, restarts=1)),
                WENT_BAD,
            ),
            (
                "one of two died under traffic",
                rollout(phase, replicas=2),
                under_traffic(one(GREEN), one(GREEN, 2, **REBORN)),
                WAIT,
            ),
            (
                "came back and is well",
                rollout(phase),
                under_traffic(one(GREEN, restarts=1, started_at=NOW + 1)),
                WAIT,
            ),
            ("keeps ending", rollout(phase), under_traffic(one(GREEN, restarts=3)), CRASH_LOOP),
            (
                "came back before it had traffic, and a new controller looks",
                rollout(phase),
                under_traffic(one(GREEN, restarts=1, verdict=STARTING)),
                WAIT,
            ),
            (
                "scaled out: the new ones are not yet well",
                rollout(phase),
                under_traffic(
                    one(GREEN), *(one(GREEN, n, verdict=STARTING, started_at=NOW + 1) for n in (2, 3, 4))
                ),
                WAIT,
            ),
            (
                "died, and so did the old color: it stays",
                rollout(phase),
                under_traffic(one(GREEN, **REBORN), source=view(BLUE, one(BLUE, verdict=SICK), in_flight=3)),
                WAIT,
            ),
        )
    ),
]


@pytest.mark.parametrize(
    ("state", "seen", "wanted"), [pytest.param(*row, id=f"{row[0].phase}: {name}") for name, *row in ROWS]
)
def test_decide(state: Rollout, seen: Facts, wanted: object) -> None:
    assert went(decide(state, seen)) == wanted


# -- what the message holds -----------------------------------------------------------------------


def told(state: Rollout, seen: Facts) -> str:
    decision = decide(state, seen)
    assert isinstance(decision, Record)
    assert decision.reason is not None
    lines = [decision.reason.message, *(f"{label}: {text}" for label, text in decision.reason.evidence)]
    return "\n".join(lines)


PROBE = ProbeResult(
    outcome=Outcome.FAIL, url="http://10.0.2.1:3000/ping", at=NOW, status=500, body="no database"
)


def test_never_healthy_is_told_with_url_status_body_and_what_the_balancer_saw() -> None:
    sick = replace(one(GREEN, server=DOWN), health=Health(verdict=SICK, last=PROBE))
    text = told(rollout(P.PROVING), proving_late(sick))
    assert "0 of 1 instances healthy after 61 s" in text
    assert "last probe: http://10.0.2.1:3000/ping: status 500 'no database'" in text
    assert "balancer's check: L7STS" in text


def test_never_healthy_names_the_error_of_the_connection_and_a_dependency_that_is_down() -> None:
    refused = replace(PROBE, status=None, body="", error="connection refused")
    sick = replace(one(GREEN, server=None), health=Health(verdict=SICK, last=refused))
    seen = replace(proving_late(sick), down=(("db", "shop-db-r1-1 exited"),))
    text = told(rollout(P.PROVING), seen)
    assert "http://10.0.2.1:3000/ping: connection refused" in text
    assert "db: shop-db-r1-1 exited" in text


def test_a_crash_is_told_with_its_exit_code_and_how_often_it_came_back() -> None:
    text = told(rollout(P.PROVING), proving_late(one(GREEN, state=RESTARTING, restarts=1, exit_code=3)))
    assert "keeps ending: restarted once (exit code 3)" in text
    text = told(rollout(P.PROVING), target(one(GREEN, state=EXITED, restarts=2, exit_code=3)))
    assert "shop-web-r2-1: exited, restarted 2 times (exit code 3)" in text


def test_a_balancer_that_disagrees_is_told_with_what_each_of_the_two_saw() -> None:
    passed = replace(PROBE, outcome=Outcome.PASS, status=200, body="pong")
    down = replace(one(GREEN, server=DOWN), health=Health(verdict=Verdict.HEALTHY, last=passed))
    text = told(rollout(P.PROVING), proving_late(down))
    assert "shop-web-r2-1: L7STS" in text
    assert "status 200 'pong'" in text
