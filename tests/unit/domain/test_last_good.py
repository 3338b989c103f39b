"""Whether to believe a registry: no answer of it, whatever it holds, takes a route's last instance."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.domain.announcement import Announcement
from bluegreen.domain.last_good import GRACE, Belief, believe
from bluegreen.domain.naming import Color, PoolId, RouteId
from bluegreen.domain.publication import Picture, Share, Structure, assembled, live_pools
from bluegreen.domain.routing import Admin, Listener, Pool, Route, Routing

BLUE, GREEN = PoolId("shop.web.blue"), PoolId("shop.web.green")
WEB = RouteId("shop.web")
ROUTING = Routing(
    listeners={80: Listener(port=80)},
    routes={WEB: Route(id=WEB, port=80)},
    pools={pool: Pool(id=pool) for pool in (BLUE, GREEN)},
)


def member(number: int, color: Color = Color.GREEN, *, draining: bool = False) -> Announcement:
    return Announcement(
        instance=f"shop-web-{color}-{number}",
        stack="shop",
        service="web",
        color=color,
        host="10.0.0.1",
        port=8000 + number,
        draining=draining,
    )


def shown(
    *members: Announcement, live: PoolId = GREEN, revision: int = 1, structure: Routing | None = ROUTING
) -> Picture:
    return Picture(
        structure=None if structure is None else Structure(revision=revision, routing=structure),
        shares={WEB: Share(revision=revision, weights={live: 100})},
        members={one.instance: one for one in members},
        revision=revision,
    )


GOOD = believe(Belief(), shown(member(1), member(2), member(1, Color.BLUE)), 0.0)


def serving(belief: Belief) -> set[str]:
    """Return who has the traffic."""
    routing = assembled(belief.picture, without_unwell=False)
    pools = [pool for route in routing.routes.values() for pool in route.live]
    return {s.name for pool in pools for s in routing.pools[pool].servers if s.admin is Admin.READY}


def test_what_is_said_well_is_believed_as_it_is() -> None:
    assert GOOD.doubts == ()
    assert serving(GOOD) == {"shop-web-green-1", "shop-web-green-2"}
    moved = believe(GOOD, shown(member(1), member(1, Color.BLUE), live=BLUE, revision=2), 1.0)
    assert moved.doubts == ()
    assert serving(moved) == {"shop-web-blue-1"}


LOST: list[tuple[str, Picture, str]] = [
    ("an empty answer", Picture(), "knows nothing"),
    ("a partial answer without members", shown(revision=2), "nobody else of it is left"),
    ("a partial answer without structure", shown(member(1), member(2), structure=None), "no structure"),
    ("a partial answer without weights", replace(shown(member(1), member(2)), shares={}), "no weights"),
    ("a switch to nobody", shown(member(1), member(2), live=PoolId("shop.api.blue"), revision=2), "nobody"),
    ("one of two vanished", shown(member(1), revision=2), "without having been drained"),
    (
        "all are said to drain",
        shown(member(1, draining=True), member(2, draining=True), revision=2),
        "last of",
    ),
]


@pytest.mark.parametrize(("said", "doubt"), [row[1:] for row in LOST], ids=[row[0] for row in LOST])
def test_what_is_missing_stays_and_is_doubted(said: Picture, doubt: str) -> None:
    belief = GOOD
    for moment in (1.0, 2.0):
        belief = believe(belief, said, moment)
        assert serving(belief) == {"shop-web-green-1", "shop-web-green-2"}
        assert doubt in "; ".join(belief.doubts)


def test_who_vanished_beside_others_goes_after_a_while() -> None:
    said = shown(member(1), revision=2)
    kept = believe(believe(GOOD, said, 10.0), said, 10.0 + GRACE - 1)
    assert "shop-web-green-2" in serving(kept)
    gone = believe(kept, said, 10.0 + GRACE + 1)
    assert serving(gone) == {"shop-web-green-1"}
    assert gone.doubts == ()


def test_who_drained_first_may_vanish_at_once() -> None:
    drained = believe(GOOD, shown(member(1), member(2, draining=True), revision=2), 1.0)
    assert serving(drained) == {"shop-web-green-1"}
    gone = believe(drained, shown(member(1), revision=3), 2.0)
    assert (set(gone.picture.members), gone.doubts) == ({"shop-web-green-1"}, ())


def test_what_is_older_than_what_was_seen_is_not_believed() -> None:
    moved = believe(GOOD, shown(member(1), member(1, Color.BLUE), live=BLUE, revision=5), 1.0)
    stale = believe(moved, shown(member(1), member(1, Color.BLUE), live=GREEN, revision=4), 2.0)
    assert serving(stale) == {"shop-web-blue-1"}
    assert "older" in "; ".join(stale.doubts)


def test_a_stack_that_was_taken_down_is_gone() -> None:
    tombstone = Picture(structure=Structure(revision=9, routing=Routing()), revision=9)
    down = believe(GOOD, tombstone, 1.0)
    assert assembled(down.picture, without_unwell=False) == Routing()
    assert down.doubts == ()


def test_without_checks_of_its_own_a_balancer_takes_the_registrys_but_never_all() -> None:
    one_ill = replace(GOOD.picture, unwell=frozenset({"shop-web-green-1"}))
    all_ill = replace(GOOD.picture, unwell=frozenset({"shop-web-green-1", "shop-web-green-2"}))
    names = [
        {server.name for server in assembled(p, without_unwell=True).pools[GREEN].servers}
        for p in (one_ill, all_ill)
    ]
    assert names == [{"shop-web-green-2"}, {"shop-web-green-1", "shop-web-green-2"}]


MEMBERS = st.builds(member, st.integers(1, 3), st.sampled_from(Color), draining=st.booleans())
PICTURES = st.builds(
    lambda members, live, revision, structure, shares: replace(
        shown(*members, live=live, revision=revision, structure=structure),
        **({} if shares else {"shares": {}}),
    ),
    st.lists(MEMBERS, max_size=5, unique_by=lambda m: m.instance),
    st.sampled_from((BLUE, GREEN)),
    st.integers(1, 4),
    st.sampled_from((ROUTING, ROUTING, ROUTING, None)),
    st.booleans(),
)


@given(st.lists(st.tuples(PICTURES, st.floats(0, 40)), max_size=8))
def test_no_sequence_of_answers_takes_the_last_instance(said: list[tuple[Picture, float]]) -> None:
    belief, now = GOOD, 0.0
    for picture, passed in said:
        now += passed
        belief = believe(belief, picture, now)
        assert serving(belief), (picture, belief.doubts)
        assert live_pools(belief.picture.shares.values())
