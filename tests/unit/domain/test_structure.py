"""From files to rollouts: composition, begin, plan, live."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.domain import begin
from bluegreen.domain.check import HealthCheck
from bluegreen.domain.composition import compose, pool_settings
from bluegreen.domain.errors import UserError
from bluegreen.domain.live import live_color, live_pool, live_routes, remembered_weights
from bluegreen.domain.naming import Color, PoolId, RouteId
from bluegreen.domain.plan import Action, difference, live_release, plan
from bluegreen.domain.release import Release, ServiceRecord
from bluegreen.domain.rollout import Kind, Phase
from bluegreen.domain.routing import Globals, PoolOptions, Routing, Server, Stats
from bluegreen.domain.spec import Mount, PortMapping, ServiceSpec, config_hash
from tests.unit.domain.cases import BLUE, GREEN, NOW, WEB, record, spec, stack

SERVER = Server(name="i", host="10.0.0.1", port=3000)
LIVE = compose([stack()], Routing()).with_weights(WEB, {BLUE: 100})


def release(number: int = 1, of: ServiceSpec | None = None) -> Release:
    found = of or spec()
    return Release(
        stack="shop",
        service=found.name,
        number=number,
        spec=found,
        image=found.image or "",
        config_hash=config_hash(found),
        created_at=NOW,
    )


# -- composition ----------------------------------------------------------------------------------


def test_a_stack_becomes_listeners_routes_and_two_pools_for_each_routed_service() -> None:
    routing = compose([stack(spec(), spec("db"))], Routing())
    assert set(routing.listeners) == {80}
    assert set(routing.routes) == {WEB}
    assert {"shop.web.blue", "shop.web.green"} <= set(routing.pools)
    assert routing.routes[WEB].weights == {}


def test_composing_again_keeps_weights_servers_and_identity() -> None:
    before = LIVE.with_servers(BLUE, (SERVER,))
    after = compose([stack()], before)
    assert after.routes[WEB] is before.routes[WEB]
    assert all(after.pools[pool] is before.pools[pool] for pool in before.pools)
    assert all(after.listeners[port] is before.listeners[port] for port in before.listeners)


def test_a_change_of_one_stack_leaves_the_parts_of_the_others_untouched() -> None:
    other = stack(name="other", port=81)
    before = compose([stack(), other], LIVE)
    changed = stack(spec(check=HealthCheck(path="/new")))
    after = compose([changed, other], before)
    assert after.pools[BLUE] is not before.pools[BLUE]
    assert after.pools[BLUE].check.path == "/new"
    assert all(after.pools[p] is before.pools[p] for p in before.pools if p.startswith("other."))
    assert after.routes[WEB].weights == {BLUE: 100}


def test_two_stacks_may_share_a_port_but_not_disagree_on_it() -> None:
    other = stack(name="other")
    assert set(compose([stack(), other], Routing()).listeners) == {80}
    listener = replace(other.balancers[0].listeners[0], maxconn=7)
    other = replace(other, balancers=(replace(other.balancers[0], listeners=(listener,)),))
    with pytest.raises(UserError) as refused:
        compose([stack(), other], Routing())
    assert refused.value.code == "port_conflict"


def test_a_pools_settings_are_its_own_before_its_balancers() -> None:
    plain = stack()
    assert pool_settings(plain, "web") == (plain.services[0].check, PoolOptions())
    lb = plain.balancers[0]
    shared = replace(lb, check=HealthCheck(path="/lb"), options=PoolOptions(balance="leastconn"))
    assert pool_settings(replace(plain, balancers=(shared,)), "web") == (shared.check, shared.options)
    own = replace(
        shared,
        pool_checks={"web": HealthCheck(path="/own")},
        pool_options={"web": PoolOptions(balance="source")},
    )
    assert pool_settings(replace(plain, balancers=(own,)), "web") == (
        HealthCheck(path="/own"),
        PoolOptions(balance="source"),
    )


def test_the_process_has_the_largest_settings_of_all() -> None:
    def with_settings(name: str, port: int, settings: Globals) -> object:
        found = stack(name=name, port=port)
        return replace(found, balancers=(replace(found.balancers[0], settings=settings),))

    routing = compose(
        [
            with_settings("a", 80, Globals(maxconn=5, stats=(Stats(port=1936),), extra=("x",))),  # type: ignore[list-item]
            with_settings("b", 81, Globals(maxconn=9, stats=(Stats(port=1936),), extra=("x", "y"))),  # type: ignore[list-item]
        ],
        Routing(),
    )
    assert routing.settings == Globals(maxconn=9, stats=(Stats(port=1936),), extra=("x", "y"))


# -- live -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("releases", "promoted", "color"),
    [
        ({Color.BLUE: 1}, (1,), Color.BLUE),
        ({Color.BLUE: 1, Color.GREEN: 2}, (1, 2), Color.GREEN),
        ({Color.BLUE: 1, Color.GREEN: 2}, (2, 1), Color.BLUE),
        ({Color.BLUE: 1, Color.GREEN: 2}, (1,), Color.BLUE),
        ({Color.GREEN: 2}, (2, 3), Color.GREEN),
        ({Color.BLUE: 1}, (), None),
        ({}, (1,), None),
    ],
)
def test_the_live_color(releases: dict[Color, int], promoted: tuple[int, ...], color: Color | None) -> None:
    assert live_color(record(releases=releases, promoted=promoted)) is color


def test_live_routes_and_pools_are_read_from_the_weights() -> None:
    assert live_routes(stack(), "web", LIVE) == (WEB,)
    assert live_routes(stack(), "web", LIVE.with_weights(WEB, {})) == ()
    assert live_pool(LIVE.with_weights(WEB, {BLUE: 20, GREEN: 80}), WEB) == GREEN
    assert live_pool(LIVE, RouteId("shop.none")) is None


def test_weights_are_remembered_from_the_journal() -> None:
    known = {("shop", "web"): record(releases={Color.GREEN: 4}, promoted=(4,))}
    assert remembered_weights(stack(), known) == {WEB: {GREEN: 100}}
    assert remembered_weights(stack(), {}) == {}
    assert remembered_weights(stack(), {("shop", "web"): record(promoted=())}) == {}


# -- begin ----------------------------------------------------------------------------------------


def deploy(known: ServiceRecord, routing: Routing = LIVE, of: ServiceSpec | None = None) -> object:
    found = of or spec()
    return begin.deploy(
        id="r", now=NOW, stack=stack(found), spec=found, record=known, release=2, routing=routing
    )


@pytest.mark.parametrize(
    ("known", "target", "source", "source_release"),
    [
        (record(releases={}, promoted=()), BLUE, None, 0),
        (record(), GREEN, BLUE, 1),
        (record(releases={Color.GREEN: 1}), BLUE, GREEN, 1),
        (record(promoted=()), GREEN, BLUE, 1),
        (record(releases={Color.BLUE: 1, Color.GREEN: 3}, promoted=(3, 1)), GREEN, BLUE, 1),
    ],
)
def test_a_deploy_goes_to_the_free_color(
    known: ServiceRecord, target: PoolId, source: PoolId | None, source_release: int
) -> None:
    rollout = deploy(known)
    assert (rollout.target, rollout.source, rollout.source_release) == (target, source, source_release)  # type: ignore[attr-defined]
    assert rollout.routes == (WEB,)  # type: ignore[attr-defined]
    assert rollout.phase is Phase.PREPARING  # type: ignore[attr-defined]


def test_a_declared_color_is_the_first_color() -> None:
    green = spec("web-green")
    found = begin.deploy(
        id="r",
        now=NOW,
        stack=stack(green),
        spec=green,
        record=ServiceRecord(stack="shop", name="web-green"),
        release=1,
        routing=Routing(),
    )
    assert found.target == "shop.web-green.green"


def test_a_deploy_of_a_color_that_is_not_live_moves_no_route() -> None:
    two = stack(spec("web-green"), spec("web-blue"))
    live = compose([two], Routing()).with_weights(WEB, {PoolId("shop.web-green.green"): 100})
    assert begin.routes_to_move(two, "web-blue", live) == ()
    assert begin.routes_to_move(two, "web-green", live) == (WEB,)
    fresh = compose([two], Routing())
    assert begin.routes_to_move(two, "web-blue", fresh) == ()
    assert begin.routes_to_move(two, "web-green", fresh) == (WEB,)


def test_a_switch_starts_and_stops_nothing() -> None:
    found = begin.switch(
        id="r", now=NOW, stack=stack(), routes=(WEB,), target=GREEN, record=record(), routing=LIVE
    )
    assert (found.kind, found.source, found.target, found.phase) == (Kind.SWITCH, BLUE, GREEN, Phase.PROVING)
    assert not found.starts_target
    assert not found.retire_source


@pytest.mark.parametrize(
    ("of", "routed", "first"),
    [
        (spec(), False, False),
        (spec(ports=(PortMapping(container=1, host=1),)), False, True),
        (spec(ports=(PortMapping(container=1),)), False, False),
        (spec(mounts=(Mount(target="/d", source="data"),)), False, True),
        (spec(mounts=(Mount(target="/d", source="data", read_only=True),)), False, False),
        (spec(mounts=(Mount(target="/d"),)), False, False),
        (spec(mounts=(Mount(target="/d", source="data"),)), True, False),
    ],
)
def test_what_cannot_run_twice_is_stopped_first(of: ServiceSpec, routed: bool, first: bool) -> None:
    assert begin.policy(of, routed=routed).stop_first is first


def test_release_numbers_are_never_used_twice() -> None:
    assert begin.next_number([]) == 1
    assert begin.next_number([release(7), release(3)]) == 8


# -- plan -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "known", "live", "action"),
    [
        (spec(), None, None, Action.CREATE),
        (spec(), record(releases={}), release(), Action.CREATE),
        (spec(), record(), release(), Action.KEEP),
        (spec(image="web:2"), record(), release(), Action.DEPLOY),
        (spec(replicas=3), record(), release(), Action.SCALE),
        (spec(image="web:2", replicas=3), record(), release(), Action.DEPLOY),
    ],
)
def test_plan_of_one_service(
    wanted: ServiceSpec, known: ServiceRecord | None, live: Release | None, action: Action
) -> None:
    rows = plan(
        stack(wanted),
        None,
        {"web": known} if known else {},
        {"web": live} if live else {},
        LIVE,
    )
    assert (rows[0].service, rows[0].action) == ("web", action)
    assert rows[0].detail
    assert rows[1].action is Action.BALANCE


def test_what_left_the_file_is_kept_unless_pruned() -> None:
    known = {"web": record(), "old": ServiceRecord(stack="shop", name="old")}
    for prune, action in ((False, Action.ORPHAN), (True, Action.REMOVE)):
        row = plan(stack(), stack(), known, {"web": release()}, LIVE, prune=prune)[-1]
        assert (row.service, row.action) == ("old", action)


def test_traffic_that_was_switched_away_is_told_and_stays() -> None:
    two = stack(spec("web-green"), spec("web-blue"))
    live = compose([two], Routing()).with_weights(WEB, {PoolId("shop.web-blue.blue"): 100})
    row = plan(two, two, {}, {}, live)[-1]
    assert "stays on web-blue" in row.detail


def test_differences_are_named() -> None:
    assert difference(spec(), spec(image="web:2", port=1)) == "image web:1 → web:2, port"
    assert difference(spec(), spec(environment={"SECRET": "x"})) == "environment"


def test_the_live_release() -> None:
    known = record(releases={Color.BLUE: 1, Color.GREEN: 2}, promoted=(1, 2))
    assert live_release(known, (release(1), release(2))) == release(2)
    assert live_release(record(releases={}), (release(1),)) is None
    assert live_release(record(promoted=()), (release(1),)) == release(1)
