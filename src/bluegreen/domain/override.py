"""What is said of one instance against all checks, with a reason and, if wanted, an end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Force(StrEnum):
    """``OUT``: no new requests, whatever the checks say. ``UP``: in rotation, whatever they say.
    ``RESTART``: out, drained, stopped and started again; over once a new process runs."""

    OUT = "out"
    UP = "up"
    RESTART = "restart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Times are UNIX seconds; ``until`` of ``None`` lasts until it is taken back. ``incarnation`` is the
    one that a restart is to end: any other one is the new process already."""

    force: Force
    why: str
    since: float = 0.0
    until: float | None = None
    incarnation: str = ""

    def holds(self, now: float) -> bool:
        return self.until is None or now < self.until


Overrides = Mapping[str, Override]
"""By the name of the instance."""


def in_force(overrides: Overrides, now: float) -> dict[str, Override]:
    """Return the overrides that hold at ``now``."""
    return {name: one for name, one in overrides.items() if one.holds(now)}


def next_end(overrides: Overrides, now: float) -> float | None:
    """Return the seconds until the first override ends by itself."""
    ends = [one.until - now for one in in_force(overrides, now).values() if one.until is not None]
    return min(ends, default=None)
