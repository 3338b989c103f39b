"""What a lock covers, until when, and what who meets it is told."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pytest

from bluegreen.domain.errors import UserError
from bluegreen.domain.lock import Lock, in_force, refuse

WEB = Lock(stack="shop", service="web", who="ana", why="the sale", since=1_000.0)
ALL = replace(WEB, service="")
HOUR = replace(WEB, until=4_600.0)


@pytest.mark.parametrize(
    ("locks", "services", "refused"),
    [
        ((), ("web",), False),
        ((WEB,), ("web",), True),
        ((WEB,), ("api", "web"), True),
        ((WEB,), ("api",), False),
        ((WEB,), (), False),
        ((ALL,), ("api",), True),
        ((ALL,), (), True),
        ((HOUR,), ("web",), False),
        ((HOUR, ALL), ("web",), True),
    ],
)
def test_what_is_covered_is_refused(
    locks: tuple[Lock, ...], services: tuple[str, ...], refused: bool
) -> None:
    with pytest.raises(UserError) if refused else nullcontext() as caught:
        refuse(locks, services, now=4_600.0)
    assert not refused or caught.value.code == "locked"


def test_a_lock_ends_by_itself() -> None:
    assert in_force((HOUR, WEB), 4_599.9) == (HOUR, WEB)
    assert in_force((HOUR, WEB), 4_600.0) == (WEB,)


def test_who_meets_it_is_told_by_whom_since_when_and_what_to_do() -> None:
    with pytest.raises(UserError) as caught:
        refuse((HOUR,), ("web",), now=1_000.0)
    error = caught.value
    assert error.message == "web.shop is locked: the sale"
    assert error.evidence == (
        ("by", "ana"),
        ("since", "1970-01-01 00:16:40 UTC"),
        ("until", "1970-01-01 01:16:40 UTC"),
    )
    assert "`bluegreen unlock web.shop`" in error.hint
    with pytest.raises(UserError, match="the stack shop is locked") as caught:
        refuse((ALL,), ("web",), now=1_000.0)
    assert "`bluegreen unlock shop`" in caught.value.hint
