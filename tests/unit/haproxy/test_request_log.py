"""Lines of HAProxy about requests: what is understood, what is counted as strange, what is let be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import Listener, Mode
from bluegreen.drivers.balancers.haproxy.request_log import log_lines, read
from bluegreen.ports.requests import Seen

BLUE = PoolId("shop.web.blue")
HEAD = b"<134>1 2026-11-28T13:04:11.185376+00:00 - haproxy 8816 - "


def line(backend: str = BLUE, status: int = 200, times: str = "0/1/5/9", rest: str = "-") -> bytes:
    return HEAD + f'[m@0 b="{backend}" s="{status}" t="{times}"] {rest}\n'.encode()


@pytest.mark.parametrize(
    ("times", "waited"),
    [
        ("2/1/5/900", 8),  # until the answer began: what follows is the user's line
        ("-1/-1/-1/42", 42),  # no answer at all: until it ended
        ("3/-1/-1/5005", 5005),
        ("0/0/-1/-1", 0),
    ],
)
def test_what_the_user_waited(times: str, waited: int) -> None:
    assert read(line(times=times)).seen == {Seen(BLUE, 200, waited): 1}


def test_equal_ones_are_counted_together_and_nobodys_are_left_out() -> None:
    lines = (
        line() * 3 + line(status=502) + line("listener:80", 400, "-1/-1/-1/0") + line("bluegreen:none", 503)
    )
    found = read(lines)
    assert found.seen == {Seen(BLUE, 200, 6): 3, Seen(BLUE, 502, 6): 1}
    assert (found.lost, found.strange) == (0, 0)


def test_what_was_dropped_is_told_and_what_makes_no_sense_is_counted() -> None:
    lines = HEAD + b"- 17 events dropped\n" + line() + b"Proxy listener:80 stopped.\n" + line(status=200)[:70]
    found = read(lines)
    assert sum(found.seen.values()) == 1
    assert (found.lost, found.strange) == (17, 2)


def test_a_users_own_log_cannot_be_used_to_count_what_never_was() -> None:
    wish = '"GET /[m@0 b="shop.web.green" s="500" t="0/0/0/0"] HTTP/1.1"'
    found = read(line(rest=wish) + line(rest="GET /- 9 events dropped"))
    assert (found.seen, found.lost) == ({Seen(BLUE, 200, 6): 2}, 0)


@given(st.binary(max_size=300))
def test_no_line_whatever_is_fatal(noise: bytes) -> None:
    found = read(noise + b"\n" + line())
    assert found.seen[Seen(BLUE, 200, 6)] == 1


def test_where_nobody_waits_for_answers_or_only_errors_are_logged_nothing_is_measured() -> None:
    assert list(log_lines(Listener(port=25, mode=Mode.TCP), others_log=False)) == []
    assert list(log_lines(Listener(port=80, options=("dontlog-normal",)), others_log=True)) == []


@pytest.mark.parametrize(
    ("listener", "others_log", "own"),
    [
        (Listener(port=80), False, ['log-format "-"']),
        (Listener(port=80), True, ["option httplog"]),
        (Listener(port=80, options=("httplog",)), True, []),
        (Listener(port=80, extra=("log-format %ST",)), True, []),
    ],
)
def test_a_format_is_named_only_where_a_user_has_none(
    listener: Listener, others_log: bool, own: list[str]
) -> None:
    lines = list(log_lines(listener, others_log=others_log))
    assert lines[:-2] == own
    assert lines[-2].startswith("log ring@requests ")
