"""Verdicts, hashes, names: small rules, checked against naive ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bluegreen.domain.agent import Agent, AgentMode
from bluegreen.domain.check import TCP_CHECK, CheckKind, HealthCheck
from bluegreen.domain.health import Health, Outcome, ProbeResult, Verdict, fold
from bluegreen.domain.naming import (
    Color,
    color_of,
    color_sibling,
    declared_color,
    first_color,
    instance_name,
    pool_id,
    service_of,
)
from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.spec import ContainerHealth, Limits, Link, Mount, ProcessSpec, ServiceSpec, config_hash

PASS, FAIL, UNKNOWN = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN


def _naive(outcomes: list[Outcome], check: HealthCheck, started_at: float) -> Verdict:
    """Look back over the whole history each time."""
    verdict = Verdict.STARTING
    counted: list[Outcome] = []
    for at, outcome in enumerate(outcomes):
        if outcome is UNKNOWN:
            continue
        graced = outcome is FAIL and verdict is Verdict.STARTING and at < started_at + check.start_period
        counted = [] if graced else [*counted, outcome]
        if counted[-check.rise :] == [PASS] * check.rise:
            verdict = Verdict.HEALTHY
        if counted[-check.fall :] == [FAIL] * check.fall:
            verdict = Verdict.SICK
    return verdict


@given(
    outcomes=st.lists(st.sampled_from(Outcome), max_size=30),
    rise=st.integers(1, 4),
    fall=st.integers(1, 4),
    start_period=st.integers(0, 10),
)
def test_rise_and_fall(outcomes: list[Outcome], rise: int, fall: int, start_period: int) -> None:
    check = HealthCheck(rise=rise, fall=fall, start_period=float(start_period))
    health = Health()
    for at, outcome in enumerate(outcomes):
        before = health
        health = fold(health, ProbeResult(outcome=outcome, url="u", at=float(at)), check, 0.0)
        assert health.verdict is _naive(outcomes[: at + 1], check, 0.0)
        if outcome is UNKNOWN:
            assert health is before
        if health.verdict is not before.verdict:
            assert health.since == float(at)


def test_a_failure_in_the_start_period_does_not_count_a_pass_does() -> None:
    check = HealthCheck(fall=1, start_period=10)
    early = ProbeResult(outcome=FAIL, url="u", at=5.0)
    assert fold(Health(), early, check, 0.0).verdict is Verdict.STARTING
    assert fold(Health(), replace(early, at=10.0), check, 0.0).verdict is Verdict.SICK
    assert fold(Health(verdict=Verdict.HEALTHY), early, check, 0.0).verdict is Verdict.SICK


# -- what makes a release -------------------------------------------------------------------------

OPERATED = {
    "replicas": 5,
    "depends_on": ("db",),
    "rollout": RolloutPolicy(bake=1),
    "agent": Agent(mode=AgentMode.OFF),
    "pre_stop": ("quit",),
}
OTHER: dict[str, object] = {
    "name": "other",
    "image": "web:2",
    "command": ("run",),
    "environment": {"A": "b"},
    "labels": {"a": "b"},
    "port": 1,
    "expose": (1,),
    "links": (Link(service="db", alias="db"),),
    "limits": Limits(cpu_shares=5),
    "check": HealthCheck(path="/other"),
    "health": ContainerHealth(test=("NONE",)),
    "mounts": (Mount(target="/d"),),
    "process": ProcessSpec(command=("run",)),
    "stop_signal": "INT",
    "stop_grace": 1.0,
    "restart_attempts": 3,
}


def test_the_hash_changes_with_what_needs_a_release_and_with_nothing_else() -> None:
    base = ServiceSpec(name="web", image="web:1")
    names = {part.name for part in fields(ServiceSpec)}
    assert set(OPERATED) | set(OTHER) <= names
    for key, value in OPERATED.items():
        assert config_hash(replace(base, **{key: value})) == config_hash(base), key  # type: ignore[arg-type]
    hashes = [config_hash(replace(base, **{key: value})) for key, value in OTHER.items()]  # type: ignore[arg-type]
    assert len({*hashes, config_hash(base)}) == len(OTHER) + 1
    assert config_hash(base, "sha256:1") != config_hash(base, "sha256:2") != config_hash(base)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrownCheck(HealthCheck):
    added: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown(ServiceSpec):
    """What a later version may make of a service's description."""

    check: HealthCheck = TCP_CHECK
    added: Mapping[str, str] = field(default_factory=dict)
    further: Limits = Limits()


def test_a_field_that_is_added_with_a_default_releases_nothing_anew() -> None:
    said: dict[str, Any] = {"name": "web", "image": "web:1", "limits": Limits(cpus=2)}
    check: dict[str, Any] = {"kind": CheckKind.HTTP, "path": "/ping"}
    before = ServiceSpec(**said, check=HealthCheck(**check))
    after = Grown(**said, check=GrownCheck(**check))
    assert config_hash(after) == config_hash(before)
    told = [
        replace(after, added={"a": "b"}),
        replace(after, further=Limits(cpus=1)),
        replace(after, check=GrownCheck(**check, added=("a",))),
    ]
    assert len({config_hash(spec) for spec in (before, *told)}) == 4


def test_a_default_that_is_said_is_no_difference_but_another_check_is() -> None:
    base = ServiceSpec(name="web")
    assert config_hash(replace(base, check=HealthCheck(kind=CheckKind.TCP, interval=2))) == config_hash(base)
    assert config_hash(replace(base, check=HealthCheck())) != config_hash(base)


def test_the_hash_of_a_service_stays_what_it_was() -> None:
    spec = ServiceSpec(
        name="web", image="web:1", check=HealthCheck(path="/ping"), links=(Link(service="db", alias="d"),)
    )
    # Written down: with any other value, an upgrade of bluegreen would release every service anew.
    assert config_hash(spec, "sha256:1") == "9375bb1cf71ebf96"


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=6))
def test_the_hash_does_not_depend_on_order_or_on_the_journey_through_json(env: dict[str, str]) -> None:
    base = ServiceSpec(name="web", environment=env)
    turned = ServiceSpec(name="web", environment=dict(reversed(env.items())))
    read_back = ServiceSpec(name="web", environment=json.loads(json.dumps(env)))
    assert config_hash(base) == config_hash(turned) == config_hash(read_back)


# -- names ----------------------------------------------------------------------------------------

names = st.from_regex(r"[a-z][a-z0-9_-]{0,12}", fullmatch=True)


@given(stack=names, service=names, color=st.sampled_from(Color))
def test_a_pools_id_tells_its_service_and_color(stack: str, service: str, color: Color) -> None:
    pool = pool_id(stack, service, color)
    assert (service_of(pool), color_of(pool)) == (service, color)


@given(base=names, color=st.sampled_from(Color), joint=st.sampled_from("-_"))
def test_a_sibling_is_the_other_color_and_its_sibling_is_itself(base: str, color: Color, joint: str) -> None:
    name = f"{base}{joint}{color}"
    assert declared_color(name) is color
    assert first_color(name) is color
    sibling = color_sibling(name)
    assert sibling == f"{base}{joint}{color.other}"
    assert color_sibling(sibling) == name


def test_names_without_a_color() -> None:
    assert declared_color("blueprint") is None
    assert declared_color("green") is None
    assert color_sibling("web") is None
    assert first_color("web") is Color.BLUE
    assert instance_name("shop", "web", 3, 1) == "shop-web-r3-1"
    assert Color.BLUE.other.other is Color.BLUE
