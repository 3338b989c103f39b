"""Reads HAProxy's tables (``show stat``, ``show servers state``, ``show proc``) into facts.

Pure. Rule: a column is found by its name in the table's own header, never by its number.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bluegreen.domain.routing import Admin, ServerHealth

Row = Mapping[str, str]

_MAINT_BITS = 0x01 | 0x02 | 0x20 | 0x40
_DRAIN_BITS = 0x08 | 0x10
"""Bits of ``srv_admin_state``: management guide, ``show servers state``. 0x04 only says that the file began
with ``disabled``, also after the server was enabled."""
_CHECK_CONFIGURED = 0x02
"""Bit of ``srv_check_state``; 0x04 is "enabled", which comes later for a server added at run time."""


@dataclass(frozen=True, slots=True)
class Workers:
    """The processes of one HAProxy: the one that accepts, and those that only end their connections."""

    master: int
    current: int
    old: frozenset[int]


_COLUMNS = (
    *("pxname", "svname", "qcur", "scur", "stot", "status", "check_status", "check_code", "last_chk"),
    *("eresp", "hrsp_5xx", "req_tot"),
)


def stat_rows(answer: str) -> Iterator[Row]:
    """Yield the rows of one or several ``show stat`` answers in a row, reduced to what is read here."""
    wanted: list[tuple[str, int]] = []
    for fields in csv.reader(answer.splitlines()):
        if fields and fields[0].startswith("# "):
            header = [fields[0][2:], *fields[1:]]
            wanted = [(column, header.index(column)) for column in _COLUMNS]
        elif len(fields) > len(_COLUMNS):
            yield {column: fields[index] for column, index in wanted}


def state_rows(answer: str) -> Iterator[Row]:
    """Yield the rows of one or several ``show servers state`` answers in a row."""
    header: list[str] = []
    for line in answer.splitlines():
        words = line.split()
        if line.startswith("# be_id"):
            header = words[1:]
        elif header and len(words) == len(header):
            yield dict(zip(header, words, strict=True))


def admin_of(row: Row) -> Admin:
    """What is wanted of a server, from its row of ``show servers state``."""
    bits = int(row["srv_admin_state"])
    if bits & _MAINT_BITS:
        return Admin.MAINT
    return Admin.DRAIN if bits & _DRAIN_BITS or row["srv_uweight"] == "0" else Admin.READY


def has_own_check(row: Row) -> bool:
    """Whether a server was given a check, from its row of ``show servers state``."""
    return bool(int(row["srv_check_state"]) & _CHECK_CONFIGURED)


def verdict_of(row: Row) -> ServerHealth:
    """What a server's own check has found, from its row of ``show stat``.

    A running check is shown with a leading asterisk over the result of the one before it.
    """
    if row["status"] == "no check":
        return ServerHealth.UP
    if row["check_status"].removeprefix("* ") in ("", "UNK", "INI", "SOCKERR"):
        return ServerHealth.UNCHECKED
    return ServerHealth.DOWN if row["status"].startswith(("DOWN", "NOLB")) else ServerHealth.UP


def check_text(row: Row) -> str:
    """The last check in HAProxy's words, for example ``L7STS 503 Service Unavailable``."""
    parts = (row.get("check_status", ""), row.get("check_code", ""), row.get("last_chk", ""))
    return " ".join(part for part in parts if part)


def in_flight_of(row: Row) -> int:
    return int(row["scur"] or 0) + int(row["qcur"] or 0)


def workers_of(answer: str) -> Workers | None:
    """Read ``show proc`` of the master socket; ``None`` while there is no worker that accepts."""
    master, current, old = 0, 0, set()
    retired = False
    for line in answer.splitlines():
        retired = retired or line.startswith("# old workers")
        words = line.split()
        if len(words) < 3 or not words[0].isdigit():
            continue
        if words[1] == "master":
            master = int(words[0])
        elif words[1] == "worker" and retired:
            old.add(int(words[0]))
        elif words[1] == "worker":
            current = int(words[0])
    return Workers(master, current, frozenset(old)) if master and current else None
