"""Roles and tokens: what proves a token, and what looks like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.domain.access import Actor, Role, id_of, issue, proves

NOW = 1_700_000_000.0
TOKEN, TEXT = issue("ci", Role.DEPLOYER, NOW, stacks=("shop",), created_by="ann", lifetime=60.0)


@pytest.mark.parametrize(
    ("held", "needed", "enough"),
    [
        (held, needed, order >= tuple(Role).index(needed))
        for order, held in enumerate(Role)
        for needed in Role
    ],
)
def test_each_role_may_do_what_those_before_it_may(held: Role, needed: Role, enough: bool) -> None:
    assert Actor(name="x", role=held, via="token").may(needed) is enough


def test_a_token_without_a_limit_sees_every_stack() -> None:
    limited = Actor(name="x", role=Role.ADMIN, via="token", stacks=("shop",))
    free = Actor(name="x", role=Role.VIEWER, via="token")
    assert [limited.sees(s) for s in ("shop", "blog", "")] == [True, False, False]
    assert [free.sees(s) for s in ("shop", "blog", "")] == [True, True, True]


def test_a_text_proves_its_own_token_only() -> None:
    other, shown = issue("ci", Role.DEPLOYER, NOW)
    assert proves(TEXT, TOKEN)
    assert proves(shown, other)
    assert not proves(shown, TOKEN)
    assert (id_of(TEXT), id_of(shown)) == (TOKEN.id, other.id)


def test_what_is_kept_is_not_what_is_shown() -> None:
    secret = TEXT.split("_", 2)[2]
    assert len(secret) >= 43  # 256 bits
    assert secret not in TOKEN.digest
    assert TOKEN.digest not in repr(TOKEN)


@pytest.mark.parametrize(("at", "expired"), [(NOW, False), (NOW + 59, False), (NOW + 60, True)])
def test_it_ends_when_its_time_is_over(at: float, expired: bool) -> None:
    assert TOKEN.expired(at) is expired
    assert not issue("ci", Role.ADMIN, NOW)[0].expired(at + 1e9)


@given(st.text() | st.text().map(lambda t: f"bg_{TOKEN.id}_{t}") | st.text().map(lambda t: TEXT + t))
def test_no_other_text_proves_it(text: str) -> None:
    assert proves(text, TOKEN) is (text == TEXT)
