"""Which release is wanted where, and what keeps it so: slots, targets, upkeep."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.domain import slots, targets
from bluegreen.domain.instance import Instance, InstanceState
from bluegreen.domain.naming import Color, PoolId
from bluegreen.domain.override import Force, Override
from bluegreen.domain.release import ServiceRecord
from bluegreen.domain.rollout import Happened, Phase, Rollout
from bluegreen.domain.spec import Link, RestartPolicy
from bluegreen.domain.upkeep import Place, abandoned, upkeep
from tests.unit.domain.cases import (
    BLUE,
    GREEN,
    NOW,
    POLICY,
    instance,
    record,
    rollout,
    spec,
    stack,
)

B, G, H, P = Color.BLUE, Color.GREEN, Happened, Phase
ALWAYS, NO = RestartPolicy.ALWAYS, RestartPolicy.NO
EXITED, CREATED, PAUSED = InstanceState.EXITED, InstanceState.CREATED, InstanceState.PAUSED
SWITCH = {"starts_target": False, "retire_source": False}
BOTH = record(releases={B: 1, G: 2})


@pytest.mark.parametrize(
    ("before", "state", "happened", "releases", "promoted"),
    [
        (record(stopped=True), rollout(), H.PREPARED, {B: 1, G: 2}, (1,)),
        (BOTH, rollout(), H.SETTLED, {B: 1, G: 2}, (1, 2)),
        (record(promoted=(2, 1)), rollout(), H.SETTLED, {B: 1}, (1, 2)),
        (replace(BOTH, promoted=(1, 2)), rollout(), H.RETIRED, {G: 2}, (1, 2)),
        (replace(BOTH, promoted=(1, 2)), rollout(), H.REVERTED, {B: 1}, (1,)),
        (BOTH, rollout(), H.CLEANED, {B: 1}, (1,)),
    ],
)
def test_slots_follow_the_rollout(
    before: ServiceRecord,
    state: Rollout,
    happened: Happened,
    releases: dict[Color, int],
    promoted: tuple[int, ...],
) -> None:
    after = slots.after(before, state, happened)
    assert after is not None
    assert (dict(after.releases), after.promoted) == (releases, promoted)
    assert after.generation == before.generation + 1
    assert not after.stopped


@pytest.mark.parametrize("happened", Happened)
def test_a_switch_changes_no_slot(happened: Happened) -> None:
    if happened is not H.RETIRED:
        assert slots.after(BOTH, rollout(**SWITCH), happened) is None


@pytest.mark.parametrize(
    "happened", sorted(set(Happened) - {H.PREPARED, H.SETTLED, H.RETIRED, H.REVERTED, H.CLEANED})
)
def test_nothing_else_changes_a_slot(happened: Happened) -> None:
    assert slots.after(BOTH, rollout(), happened) is None


def test_only_so_many_promotions_are_kept() -> None:
    after = slots.after(record(promoted=tuple(range(10, 40))), rollout(), H.SETTLED)
    assert after is not None
    assert len(after.promoted) == slots.KEPT_PROMOTIONS
    assert after.promoted[-1] == 2


@pytest.mark.parametrize(
    ("phase", "fields", "colors"),
    [
        (P.PREPARING, {}, {B}),
        (P.PROVING, {}, {B}),
        (P.SHIFTING, {}, {B}),
        (P.BAKING, {}, {B, G}),
        (P.DRAINING, {}, {G}),
        (P.RETIRING, {}, {G}),
        (P.DONE, {}, {B, G}),
        (P.ABORTING, {}, {B}),
        (P.REVERTING, {}, {B}),
        (P.SHIFTING, SWITCH, {B, G}),
        (P.STARTING, {"policy": replace(POLICY, stop_first=True)}, set()),
        (P.ABORTING, {"policy": replace(POLICY, stop_first=True)}, {B}),
    ],
)
def test_a_rollout_has_the_colors_it_works_on_to_itself(
    phase: Phase, fields: dict[str, object], colors: set[Color]
) -> None:
    assert set(slots.tended(BOTH, rollout(phase, **fields))) == colors


def test_without_a_rollout_all_wanted_colors_are_tended() -> None:
    assert slots.tended(BOTH, None) == {B: 1, G: 2}


# -- targets --------------------------------------------------------------------------------------

TWO = stack(spec("web-green"), spec("web-blue"))
MOVE = rollout(
    target=PoolId("shop.web-blue.blue"), source=PoolId("shop.web-green.green"), routes=("shop.web",)
)


def test_a_switch_aims_the_definition_and_its_way_back_aims_it_back() -> None:
    moved = targets.after(TWO, MOVE, H.SHIFTED)
    assert moved is not None
    assert moved.routes[0].target == "web-blue"
    assert moved.balancers[0].links == (Link(service="web-blue", alias="web-blue"),)
    assert targets.after(moved, MOVE, H.REVERTED) == TWO


@pytest.mark.parametrize("happened", sorted(set(Happened) - {H.SHIFTED}))
def test_nothing_else_moves_the_aim(happened: Happened) -> None:
    assert targets.after(TWO, MOVE, happened) is None


def test_the_aim_of_other_routes_and_links_stays() -> None:
    other = replace(TWO.routes[0], name="api")
    extra = Link(service="db", alias="db")
    wide = replace(
        TWO,
        routes=(*TWO.routes, other),
        balancers=(replace(TWO.balancers[0], links=(*TWO.balancers[0].links, extra)),),
    )
    moved = targets.after(wide, MOVE, H.SHIFTED)
    assert moved is not None
    assert [r.target for r in moved.routes] == ["web-blue", "web-green"]
    assert moved.balancers[0].links[1] == extra
    assert targets.after(TWO, replace(MOVE, routes=()), H.SHIFTED) is None


# -- upkeep ---------------------------------------------------------------------------------------


def places(*found: tuple[Color, int, int]) -> tuple[Place, ...]:
    return tuple(Place(*p) for p in found)


B1, B2, G1 = instance(BLUE), instance(BLUE, 2), instance(GREEN)
RENAMED = replace(B1, name="by-hand")


@pytest.mark.parametrize(
    ("wanted", "state", "found", "policy", "start", "remove"),
    [
        (record(), None, [B1], NO, [], []),
        (record(replicas=2), None, [B1], NO, [(B, 1, 2)], []),
        (record(), None, [B1, B2], NO, [], [B2.name]),
        (record(), None, [B1, G1], NO, [], [G1.name]),
        (record(releases={}), None, [B1], NO, [], [B1.name]),
        (record(), None, [replace(B1, state=EXITED)], ALWAYS, [(B, 1, 1)], []),
        (record(), None, [replace(B1, state=EXITED)], NO, [], []),
        (record(), None, [replace(B1, state=CREATED)], NO, [(B, 1, 1)], []),
        (record(), None, [replace(B1, state=PAUSED)], ALWAYS, [], []),
        (record(), None, [replace(B1, host=None)], NO, [(B, 1, 1)], []),
        (record(), None, [replace(B1, host=None, port=None)], NO, [], []),
        (record(), None, [replace(B1, host=None, state=PAUSED)], NO, [], []),
        (record(), None, [RENAMED], NO, [(B, 1, 1)], []),
        (record(), None, [replace(RENAMED, state=EXITED)], NO, [], []),
        (record(), None, [RENAMED, B1], NO, [], [RENAMED.name]),
        (record(), None, [RENAMED, replace(B1, state=CREATED)], NO, [(B, 1, 1)], [B1.name]),
        (record(), rollout(P.STARTING), [B1, G1], NO, [], []),
        (record(), rollout(P.STARTING), [], NO, [(B, 1, 1)], []),
        (BOTH, rollout(P.BAKING), [], NO, [(B, 1, 1), (G, 2, 1)], []),
        (BOTH, rollout(P.RETIRING), [G1], NO, [], []),
        (BOTH, rollout(P.RETIRING), [B1, G1], NO, [], []),
        (record(), rollout(P.STARTING), [B1, instance(GREEN, release=9)], NO, [], ["shop-web-r9-1"]),
    ],
)
def test_upkeep(
    wanted: ServiceRecord,
    state: Rollout | None,
    found: list[Instance],
    policy: RestartPolicy,
    start: list[tuple[Color, int, int]],
    remove: list[str],
) -> None:
    plan = upkeep(wanted, state, found, {1: policy, 2: policy})
    assert plan.start == places(*start)
    assert plan.remove == tuple(remove)
    assert plan.stop == ()


def test_a_stopped_service_is_stopped_and_kept() -> None:
    plan = upkeep(record(stopped=True), None, [B1, replace(B2, state=EXITED)], {})
    assert (plan.start, plan.stop, plan.remove) == ((), (B1.name,), ())


def test_a_color_is_abandoned_when_nothing_is_wanted_there() -> None:
    assert abandoned(record(), None) == {G}
    assert abandoned(BOTH, None) == frozenset()
    assert abandoned(record(), rollout(P.PROVING)) == frozenset()
    assert abandoned(record(releases={}), None) == {B, G}
    assert abandoned(record(), rollout(P.DONE)) == {G}


RESTART = Override(force=Force.RESTART, why="it hangs", since=NOW, incarnation="old")
RESTARTED = record(overrides={B1.name: RESTART})


@pytest.mark.parametrize(
    ("found", "start", "recycle", "renewed"),
    [
        # the process that is to end still runs: end it
        (replace(B1, incarnation="old"), (), (B1.name,), ()),
        (replace(B1, incarnation="old", state=PAUSED), (), (B1.name,), ()),
        # it is stopped: start it, even where its policy would leave it so
        (replace(B1, incarnation="old", state=EXITED), ((B, 1, 1),), (), ()),
        # another one runs: that was it
        (replace(B1, incarnation="new"), (), (), (B1.name,)),
        # it is gone: start it anew, and forget the wish
        (None, ((B, 1, 1),), (), (B1.name,)),
    ],
)
def test_a_restart_goes_on_wherever_it_was_interrupted(
    found: Instance | None,
    start: tuple[tuple[Color, int, int], ...],
    recycle: tuple[str, ...],
    renewed: tuple[str, ...],
) -> None:
    plan = upkeep(RESTARTED, None, [] if found is None else [found], {1: NO})
    assert (plan.start, plan.recycle, plan.renewed) == (places(*start), recycle, renewed)
    assert (plan.stop, plan.remove) == ((), ())


def test_what_a_person_says_of_rotation_restarts_nothing() -> None:
    drained = record(overrides={B1.name: replace(RESTART, force=Force.OUT)})
    assert upkeep(drained, None, [B1], {1: NO}).recycle == ()
