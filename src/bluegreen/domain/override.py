"""What a person says of an instance against all checks, with a reason and, if wanted, an end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Force(StrEnum):
    """``OUT``: no new requests, whatever the checks say. ``UP``: in rotation, whatever they say."""

    OUT = "out"
    UP = "up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Times are UNIX seconds; ``until`` of ``None`` lasts until a person takes it back."""

    force: Force
    why: str
    since: float = 0.0
    until: float | None = None

    def holds(self, now: float) -> bool:
        return self.until is None or now < self.until


def in_force(overrides: Mapping[str, Override], now: float) -> dict[str, Override]:
    """Return the overrides by instance that hold at ``now``."""
    return {name: one for name, one in overrides.items() if one.holds(now)}
