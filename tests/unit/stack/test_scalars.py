# ruff: noqa: E501 -- rows of a table stay on one line
"""Sizes, durations and times, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.stack import scalars
from bluegreen.stack.problems import Invalid


@given(st.integers(min_value=0, max_value=2**50))
def test_sizes_survive_a_round_trip(size: int) -> None:
    assert scalars.parse_size(scalars.format_size(size)) == size


@given(st.integers(min_value=0, max_value=10**10))
def test_durations_survive_a_round_trip(milliseconds: int) -> None:
    text = scalars.format_duration(milliseconds / 1000)
    assert round(scalars.parse_duration(text) * 1000) == milliseconds


@given(
    st.integers(min_value=1, max_value=10**9),
    st.sampled_from(["k", "m", "g", "K", "MB", "GiB", "kb", "b", ""]),
)
def test_a_size_is_its_number_times_its_unit(number: int, unit: str) -> None:
    power = {"k": 1, "m": 2, "g": 3}.get(unit[:1].lower(), 0)
    assert scalars.parse_size(f"{number}{unit}") == number * 1024**power


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30.0), ("1.5", 1.5), ("500ms", 0.5), ("30s", 30.0), ("5m", 300.0), ("1h30m", 5400.0), ("2d", 172800.0),
     ("1m30.5s", 90.5), ("250us", 0.00025), ("0", 0.0)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert scalars.parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2000", 2.0), ("500ms", 0.5), ("2s", 2.0), ("1m", 60.0), ("1d", 86400.0), ("10us", 1e-5)],
)
def test_haproxy_counts_milliseconds(text: str, seconds: float) -> None:
    assert scalars.parse_haproxy_time(text) == seconds


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (scalars.parse_duration, "5 minutes"),
        (scalars.parse_duration, "-5s"),
        (scalars.parse_duration, "s"),
        (scalars.parse_duration, ""),
        (scalars.parse_duration, "5s5"),
        (scalars.parse_duration, "nan"),
        (scalars.parse_duration, "1e3"),
        (scalars.parse_size, "1x"),
        (scalars.parse_size, "-1"),
        (scalars.parse_size, ""),
        (scalars.parse_size, "9" * 40),
        (scalars.parse_int, "1.0"),
        (scalars.parse_int, "1_000"),
        (scalars.parse_int, "٣"),
        (scalars.parse_float, "inf"),
        (scalars.parse_bool, "2"),
        (scalars.parse_mode, "0999"),
        (scalars.parse_port_number, "0"),
        (scalars.parse_port_number, "65536"),
        (scalars.parse_port_number, "-1"),
        (scalars.parse_cpuset, "1-"),
        (scalars.parse_haproxy_time, "1.5s"),
    ],
)
def test_what_means_nothing_is_refused(parse: object, text: str) -> None:
    with pytest.raises(Invalid):
        parse(text)  # type: ignore[operator]


@pytest.mark.parametrize(("text", "mode"), [("0755", 0o755), ("0o444", 0o444), ("444", 0o444)])
def test_file_modes_are_octal(text: str, mode: int) -> None:
    assert scalars.parse_mode(text) == mode


def test_lists_split_at_commas_that_are_not_escaped() -> None:
    assert scalars.split_list(r"a, b\,c ,, d") == ("a", "b,c", "d")
