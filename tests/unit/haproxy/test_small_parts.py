"""Weights, server changes, tables and files of the HAProxy driver, without HAProxy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.errors import Permanent
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import (
    Admin,
    Listener,
    Maintenance,
    Mode,
    Pool,
    PoolOptions,
    Route,
    Routing,
    Server,
)
from bluegreen.drivers.balancers.haproxy import weight_files
from bluegreen.drivers.balancers.haproxy.change import change_between
from bluegreen.drivers.balancers.haproxy.complaints import complaint
from bluegreen.drivers.balancers.haproxy.layout import Layout
from bluegreen.drivers.balancers.haproxy.members import Members, server_change
from bluegreen.drivers.balancers.haproxy.render import render
from bluegreen.drivers.balancers.haproxy.stats import workers_of
from bluegreen.drivers.balancers.haproxy.structure import state_to_keep
from bluegreen.drivers.balancers.haproxy.weights import decode, encode, parse_map
from bluegreen.drivers.proxies.validation import validate

BLUE, GREEN = PoolId("shop.web.blue"), PoolId("shop.web.green")
WEB, API = RouteId("shop.web"), RouteId("shop.api")
ROUTING = Routing(
    listeners={80: Listener(port=80), 25: Listener(port=25, mode=Mode.TCP)},
    routes={WEB: Route(id=WEB, port=80, weights={BLUE: 100}), API: Route(id=API, port=80, path="/api")},
    pools={BLUE: Pool(id=BLUE), GREEN: Pool(id=GREEN)},
)
ONE = Server(name="one", host="10.0.0.1", port=80)
TWO = Server(name="two", host="10.0.0.2", port=80)


@given(st.integers(0, 100))
def test_any_split_is_read_back_as_it_was_written(share: int) -> None:
    for weights in ({}, {BLUE: 100}, {BLUE: share, GREEN: 100 - share}):
        shown = f"0x55d0 {WEB} {encode(weights)}\n"
        assert decode(encode(weights)) == weights
        assert parse_map(shown) == {WEB: weights}


def test_a_switch_is_found_without_a_reload() -> None:
    change = change_between(ROUTING, ROUTING.with_weights(WEB, {GREEN: 100}))
    assert (change.structure, [r.id for r in change.routes], change.pools) == (False, [WEB], ())


def test_maintenance_is_structure_but_not_when_it_began() -> None:
    def closed(**words: float) -> Routing:
        route = replace(ROUTING.routes[WEB], maintenance=Maintenance(why="disks", **words))  # type: ignore[arg-type]
        return replace(ROUTING, routes={**ROUTING.routes, WEB: route})

    assert change_between(ROUTING, closed()).structure
    assert change_between(closed(), ROUTING).structure
    assert change_between(closed(), closed(retry_after=5)).structure
    assert change_between(closed(since=1.0), closed(since=2.0)).is_nothing
    assert not change_between(closed(), closed().with_weights(WEB, {GREEN: 100})).structure


def test_an_equal_copy_is_no_change() -> None:
    copy = replace(ROUTING, routes={k: replace(v) for k, v in ROUTING.routes.items()})
    assert change_between(ROUTING, copy).is_nothing


@pytest.mark.parametrize(
    "other",
    [
        replace(ROUTING, listeners={80: Listener(port=80)}),
        replace(ROUTING, pools={BLUE: Pool(id=BLUE)}),
        replace(ROUTING, routes={WEB: ROUTING.routes[WEB]}),
        replace(ROUTING, routes={**ROUTING.routes, API: Route(id=API, port=80, path="/other")}),
        replace(ROUTING, pools={**ROUTING.pools, BLUE: Pool(id=BLUE, options=PoolOptions(retries=1))}),
    ],
)
def test_structure_needs_a_reload(other: Routing) -> None:
    assert change_between(ROUTING, other).structure


def test_a_server_whose_address_changes_gets_a_name_of_its_own() -> None:
    moved = replace(ONE, port=81)
    change = server_change(Pool(id=BLUE, servers=(moved, TWO)), (ONE,), {"one": "one"}, {"one:2"})
    assert change.names == {"one": "one:3", "two": "two"}
    assert change.leaving == ("one:last", "one")
    assert change.replaced == set()
    assert [c.split()[:3] for c in change.commands if c.startswith("add")] == [
        ["add", "server", f"{BLUE}/one:3"],
        ["add", "server", f"{BLUE}/one:3:last"],
        ["add", "server", f"{BLUE}/two"],
        ["add", "server", f"{BLUE}/two:last"],
    ]


def test_a_change_of_admin_or_weight_is_a_command() -> None:
    steered = replace(ONE, weight=5, admin=Admin.DRAIN)
    change = server_change(Pool(id=BLUE, servers=(steered,)), (ONE,), {"one": "one:2"}, ())
    assert change.commands == (
        f"set server {BLUE}/one:2:last weight 5",
        f"set server {BLUE}/one:2:last state drain",
        f"set server {BLUE}/one:2 weight 5",
        f"set server {BLUE}/one:2 state drain",
    )
    assert change.leaving == ()


def test_a_server_that_is_forced_up_is_another_one_that_is_not_checked_and_has_no_twin() -> None:
    forced = replace(ONE, forced_up=True)
    change = server_change(Pool(id=BLUE, servers=(forced,)), (ONE,), {"one": "one"}, ())
    assert change.names == {"one": "one:2"}
    assert change.commands == (
        f"add server {BLUE}/one:2 10.0.0.1:80 weight 100",
        f"set server {BLUE}/one:2 state ready",
    )
    assert (change.leaving, change.replaced) == (("one:last", "one"), {"one"})
    back = server_change(Pool(id=BLUE, servers=(ONE,)), (forced,), {"one": "one:2"}, {"one", "one:last"})
    assert (back.names, back.leaving, back.replaced) == ({"one": "one:3"}, ("one:2",), {"one:2"})


def test_where_nothing_is_checked_forcing_up_changes_no_server() -> None:
    pool = Pool(id=BLUE, check=HealthCheck(kind=CheckKind.NONE), servers=(replace(ONE, forced_up=True),))
    change = server_change(pool, (ONE,), {"one": "one"}, ())
    assert (change.names, change.added, change.leaving) == ({"one": "one"}, (), ())


def test_a_name_whose_twin_still_ends_requests_is_not_given_again() -> None:
    change = server_change(Pool(id=BLUE, servers=(ONE,)), (), {}, {"one:last", "one:2:probe"})
    assert change.names == {"one": "one:3"}


def test_a_new_controller_takes_the_newest_of_a_name_and_leaves_strangers_out() -> None:
    config = (
        f"backend {BLUE}\n  server one 10.0.0.1:80\n  server gone 10.0.0.9:80\n\nbackend bluegreen:none\n"
    )
    running = {BLUE: ["one", "one:10", "one:10:last", "one:9", "one:last", "one:probe", "stranger"]}
    members = Members.adopted(config, running)
    assert dict(members.of(BLUE)) == {"one": "one:10"}
    lingering = members.lingering(BLUE, running[BLUE])
    assert lingering == ["one:last", "one:probe", "one", "one:9", "stranger"]
    assert not members.are_checked(BLUE)
    names = ("one:10", "one:10:last", "one", "stranger")
    assert [members.named(BLUE, name) for name in names] == ["one", None, None, None]


def test_a_new_controller_learns_from_the_file_who_is_checked() -> None:
    config = render(replace(ROUTING, pools={BLUE: Pool(id=BLUE, servers=(ONE,))}, routes={}), Layout()).config
    members = Members.adopted(config, {BLUE: ["one", "one:last"]})
    assert (dict(members.of(BLUE)), members.are_checked(BLUE)) == ({"one": "one"}, True)


def test_the_state_for_the_next_worker_has_only_what_stays() -> None:
    answer = f"1\n# be_id be_name srv_id srv_name rest\n3 {BLUE} 1 one:2 x\n3 {BLUE} 2 one:probe x\n\n"
    kept = state_to_keep(answer, {(BLUE, "one:2"): "one"})
    assert kept == f"1\n# be_id be_name srv_id srv_name rest\n3 {BLUE} 1 one x\n"


def test_processes_are_read_with_those_of_former_structures() -> None:
    shown = (
        "#<PID>  <type>  <reloads>  <uptime>  <version>\n10  master  2 [failed: 0]  0d  2.8\n# workers\n"
        "12  worker  0  0d  2.8\n# old workers\n11  worker  1  0d  2.8\n# programs\n"
    )
    found = workers_of(shown)
    assert found is not None
    assert (found.master, found.current, set(found.old)) == (10, 12, {11})
    assert workers_of(shown.replace("12  worker", "")) is None


def test_the_words_of_haproxy_are_kept_without_their_frame() -> None:
    said = (
        "[NOTICE]   (1) : haproxy version is 2.8\n[ALERT]    (1) : config : parsing [candidate.cfg:3] : no\n"
        "[ALERT]    (1) : config : Error(s) found in configuration file : candidate.cfg\n"
        "[ALERT]    (1) : config : Fatal errors found in configuration.\n"
    )
    assert complaint(said) == "parsing [candidate.cfg:3] : no"


@pytest.mark.parametrize(
    "route",
    [
        Route(id=WEB, port=81),
        Route(id=WEB, port=80, weights={PoolId("lost"): 100}),
        Route(id=WEB, port=80, weights={BLUE: 60, GREEN: 30}),
        Route(id=WEB, port=25, host="a.test"),
        Route(id=WEB, port=25, weights={BLUE: 100}),
        Route(id=WEB, port=25, maintenance=Maintenance()),
    ],
)
def test_a_routing_that_contradicts_itself_is_refused(route: Route) -> None:
    with pytest.raises(Permanent) as seen:
        validate(ROUTING, [route], [])
    assert seen.value.code == "balancer_refused"


@given(cut=st.integers(0, 40))
def test_a_log_cut_by_a_crash_loses_only_the_line_being_written(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, layout = tmp_path_factory.mktemp("weights"), Layout()
    (folder / layout.routes_map).write_text("a blue\nb blue\n")
    lines = ["a green\n", "b blue/green/10\n", "a blue\n"]
    for line in lines:
        weight_files.append(folder, layout, line)
    log = folder / layout.routes_log
    log.write_text(log.read_text()[:cut])
    weight_files.fold(folder, layout)
    expected = {"a": "blue", "b": "blue"}
    expected |= dict(ln.split() for ln in "".join(lines)[:cut].splitlines(keepends=True) if ln.endswith("\n"))
    found = (folder / layout.routes_map).read_text()
    assert dict(line.split() for line in found.splitlines()) == expected
    assert not log.exists()


def test_a_long_log_is_folded_on_the_way(tmp_path: Path) -> None:
    layout = Layout()
    (tmp_path / layout.routes_map).write_text("a blue\n")
    for number in range(100):
        weight_files.append(tmp_path, layout, f"a pool{number:0500}\n")
    log = tmp_path / layout.routes_log
    assert not log.exists() or log.stat().st_size < 20_000
    weight_files.fold(tmp_path, layout)
    assert (tmp_path / layout.routes_map).read_text() == f"a pool{99:0500}\n"
