"""A list's row and an inspection of the same container say the same, and differ when it changes."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.drivers.runtimes.docker import looks, signals


def row(**changes: Any) -> dict[str, Any]:
    networks = {"bluegreen_shop": {"IPAddress": "10.0.0.2"}}
    known = {"State": "running", "Status": "Up 3 seconds", "Names": ["/web"], "networks": networks} | changes
    return known | {"NetworkSettings": {"Networks": known.pop("networks")}}


def inspected(status: str = "running", name: str = "web", health: str = "", address: str = "10.0.0.2") -> Any:
    state: dict[str, Any] = {"Status": status} | ({"Health": {"Status": health}} if health else {})
    networks = {"bluegreen_shop": {"IPAddress": address}}
    return {"State": state, "Name": f"/{name}", "NetworkSettings": {"Networks": networks}}


@pytest.mark.parametrize(
    ("listed", "seen"),
    [
        (row(), inspected()),
        (row(Names=["/other/link", "/web"]), inspected()),
        (row(State="paused", Status="Up 2 minutes (Paused)"), inspected("paused")),
        (row(Status="Up 2 minutes (healthy)"), inspected(health="healthy")),
        (row(Status="Up 2 seconds (health: starting)"), inspected(health="starting")),
        (row(), inspected(health="none")),
        (
            row(
                State="exited",
                Status="Exited (137) 2 hours ago",
                networks={"bluegreen_shop": {"IPAddress": ""}},
            ),
            inspected("exited", health="unhealthy", address=""),
        ),
    ],
)
def test_both_ways_of_looking_agree(listed: dict[str, Any], seen: dict[str, Any]) -> None:
    assert looks.of_row(listed) == looks.of_inspected(seen)


@pytest.mark.parametrize(
    "listed",
    [
        row(State="exited"),
        row(Names=["/renamed"]),
        row(Status="Up 3 seconds (unhealthy)"),
        row(networks={"bluegreen_shop": {"IPAddress": "10.0.0.9"}}),
        row(networks={}),
        row(networks=None),
    ],
)
def test_what_a_row_shows_otherwise_is_a_change(listed: dict[str, Any]) -> None:
    assert looks.of_row(listed) != looks.of_inspected(inspected())


@pytest.mark.parametrize(
    ("sent", "own", "ends"),
    [
        ("15", "TERM", True),
        ("15", None, True),
        ("15", "SIGTERM", True),
        ("9", "QUIT", True),
        ("3", "SIGQUIT", True),
        ("15", "QUIT", False),
        ("1", "TERM", False),
        ("37", "SIGRTMIN+3", True),
        ("61", "RTMAX-3", True),
        ("10", "10", True),
        ("", "nonsense", False),
        ("15", "nonsense", False),
    ],
)
def test_a_signal_ends_a_container_if_it_is_its_own_or_a_kill(sent: str, own: str | None, ends: bool) -> None:
    assert signals.ends(sent, own) is ends
