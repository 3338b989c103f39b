"""Who of a pool is in rotation, and the words for why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.facts import InstanceFacts
from bluegreen.domain.health import Verdict
from bluegreen.domain.instance import Instance, InstanceState
from bluegreen.domain.override import Force, Override, in_force, next_end
from bluegreen.domain.rotation import Rotation, all_refused, servers, standing
from bluegreen.domain.routing import Admin, Server, ServerHealth
from tests.unit.domain.cases import BLUE, CHECK, DOWN, NOW, instance, one, view

EXITED = InstanceState.EXITED
B1, B2 = instance(BLUE), instance(BLUE, 2)
EXEC = HealthCheck(kind=CheckKind.EXEC, command=("true",))
OUT = Override(force=Force.OUT, why="look at it")
UP = Override(force=Force.UP, why="the check is wrong")
RESTART = Override(force=Force.RESTART, why="it hangs")


def server(of: Instance, admin: Admin = Admin.READY, *, forced_up: bool = False) -> Server:
    assert of.host is not None
    assert of.port is not None
    return Server(name=of.name, host=of.host, port=of.port, admin=admin, forced_up=forced_up)


def chosen(
    current: tuple[Server, ...],
    *found: InstanceFacts,
    check: HealthCheck = CHECK,
    balancer_checks: bool = True,
    **overrides: Override,
) -> tuple[Server, ...]:
    pool = replace(view(BLUE, *found), check=check)
    named = {{"b1": B1.name, "b2": B2.name}[key]: value for key, value in overrides.items()}
    return servers(current, pool, named, NOW, balancer_checks=balancer_checks)


def test_they_enter_well_stay_while_they_run_and_leave_when_they_do_not() -> None:
    well, sick = one(BLUE), one(BLUE, 2, verdict=Verdict.SICK)
    assert chosen((), well, sick) == (server(B1),)
    assert chosen((server(B2),), well, sick) == (server(B1), server(B2))
    ended = one(BLUE, state=EXITED, host=None, port=None)
    assert chosen((server(B1),), ended) == ()


def test_one_that_came_back_elsewhere_must_prove_itself_again() -> None:
    moved = one(BLUE, host="10.9.9.9", verdict=Verdict.STARTING)
    assert chosen((server(B1),), moved) == ()


@pytest.mark.parametrize("override", [OUT, RESTART])
def test_what_is_overridden_takes_nothing_new_even_when_it_is_the_last(override: Override) -> None:
    assert chosen((), one(BLUE), b1=override) == (server(B1, Admin.DRAIN),)


def test_what_is_forced_up_enters_whatever_the_checks_say() -> None:
    sick = one(BLUE, verdict=Verdict.SICK, health="unhealthy")
    assert chosen((), sick, b1=UP) == (server(B1, forced_up=True),)
    assert chosen((), one(BLUE, state=EXITED), b1=UP) == ()


@pytest.mark.parametrize(
    ("sick", "check", "balancer_checks"),
    [
        (one(BLUE, health="unhealthy"), CHECK, True),
        (one(BLUE, verdict=Verdict.SICK), EXEC, True),
        (one(BLUE, verdict=Verdict.SICK), CHECK, False),
    ],
    ids=["the runtime's check", "a command", "a balancer that does not check"],
)
def test_what_the_balancer_cannot_see_takes_out_one_but_never_all(
    sick: InstanceFacts, check: HealthCheck, balancer_checks: bool
) -> None:
    both = (server(B1), server(B2))
    other = one(BLUE, 2)
    found = chosen(both, sick, other, check=check, balancer_checks=balancer_checks)
    assert found == (server(B1, Admin.DRAIN), server(B2))
    other = replace(sick, instance=replace(sick.instance, name=B2.name, host=B2.host))
    assert chosen(both, sick, other, check=check, balancer_checks=balancer_checks) == both


def test_what_somebody_renamed_stays_and_is_not_mistaken_for_its_neighbour() -> None:
    named = replace(B1, name="renamed-by-hand")
    renamed = replace(one(BLUE, verdict=Verdict.STARTING), instance=named)
    assert chosen((server(B1),), renamed) == (server(named),)
    assert chosen((server(B1),), renamed, one(BLUE, state=EXITED)) == (), "another bears the name it had"


def test_what_is_asked_to_end_takes_nothing_new_if_another_can_take_over() -> None:
    ending, other = one(BLUE, stopping=True), one(BLUE, 2)
    before = (server(B1), server(B2))
    assert chosen(before, ending, other) == (server(B1, Admin.DRAIN), server(B2))
    assert chosen(before, ending) == (server(B1),)
    assert chosen(before, ending, one(BLUE, 2, verdict=Verdict.SICK)) == before
    assert chosen(before, ending, other, b2=OUT) == (server(B1), server(B2, Admin.DRAIN))
    assert chosen(before, ending, one(BLUE, 2, stopping=True)) == before


def test_a_container_whose_own_check_has_not_passed_yet_waits_where_ours_asks_little() -> None:
    starting = one(BLUE, health="starting")
    assert chosen((), starting, check=replace(CHECK, kind=CheckKind.TCP)) == ()
    assert chosen((), starting) == (server(B1),)
    assert chosen((), one(BLUE, health="unhealthy")) == ()


@pytest.mark.parametrize(
    ("facts", "override", "rotation", "why"),
    [
        (one(BLUE), None, "in", "healthy"),
        (one(BLUE), OUT, "out", "look at it"),
        (one(BLUE), RESTART, "out", "to be restarted: it hangs"),
        (one(BLUE, server=DOWN), UP, "in", "forced up: the check is wrong"),
        (one(BLUE, server=DOWN), None, "out", "the balancer's check fails: L7STS"),
        (one(BLUE, state=EXITED, exit_code=3), None, "out", "exited (exit code 3)"),
        (one(BLUE, server=None, verdict=Verdict.SICK), None, "out", "our probe fails"),
        (one(BLUE, server=None, verdict=Verdict.STARTING), None, "out", "not yet proved healthy"),
        (one(BLUE, health="unhealthy"), None, "in", "kept, although the runtime's own health check fails"),
    ],
)
def test_the_words_for_it(facts: InstanceFacts, override: Override | None, rotation: str, why: str) -> None:
    stands = standing(facts, view(BLUE, facts), override, routed=True, balancer_checks=True)
    assert (stands.rotation, stands.why) == (Rotation(rotation), why)


def test_whom_the_balancer_refuses_with_everybody_else_is_kept() -> None:
    facts = one(BLUE, server=DOWN)
    stands = standing(facts, view(BLUE, facts), None, routed=True, balancer_checks=True, last_good=True)
    assert stands.rotation is Rotation.IN
    assert stands.kept
    assert stands.why == "kept, although the balancer's check fails: L7STS"
    assert facts.server is not None
    down = facts.server
    up, drained = replace(down, health=ServerHealth.UP), replace(down, admin=Admin.DRAIN)
    assert all_refused([down, drained])
    assert not all_refused([down, up])
    assert not all_refused([drained])
    assert not all_refused([])


def test_an_override_ends_by_the_clock() -> None:
    short, long = replace(OUT, until=NOW + 5), replace(OUT, until=NOW + 9)
    overrides = {"a": short, "b": long, "c": OUT, "d": replace(OUT, until=NOW)}
    assert set(in_force(overrides, NOW)) == {"a", "b", "c"}
    assert next_end(overrides, NOW) == 5
    assert set(in_force(overrides, NOW + 5)) == {"b", "c"}
    assert next_end({"c": OUT}, NOW) is None


facts_of_any = st.builds(
    lambda index, verdict, health, state: one(BLUE, index, verdict=verdict, health=health, state=state),
    st.integers(1, 3),
    st.sampled_from(Verdict),
    st.sampled_from(["", "starting", "healthy", "unhealthy"]),
    st.sampled_from([InstanceState.RUNNING, EXITED]),
)


@given(
    found=st.lists(facts_of_any, max_size=3, unique_by=lambda one: one.instance.name),
    check=st.sampled_from([CHECK, EXEC, replace(CHECK, kind=CheckKind.TCP)]),
    balancer_checks=st.booleans(),
)
def test_sickness_alone_never_empties_a_pool(
    found: list[InstanceFacts], check: HealthCheck, balancer_checks: bool
) -> None:
    before = tuple(server(i.instance) for i in found)
    pool = replace(view(BLUE, *found), check=check)
    after = servers(before, pool, {}, NOW, balancer_checks=balancer_checks)
    assert {s.name for s in after} == {i.instance.name for i in found if i.instance.running}
    assert not after or any(s.admin is Admin.READY for s in after)
