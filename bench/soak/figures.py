"""From what happened and what failed to the lines of the table: pure.

A failed request is the cost of the fault that was going on while it was in flight.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bluegreen.load.result import Kind

POST = Kind.POST.value
LATE = 0.2
"""Seconds that a loss may come after all was well again: an answer is on its way for a moment."""

NONE = "none of them"
"""The line of what failed while nothing was wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One fault as it went. Times are seconds of one clock.

    ``out`` is when the instance had left the rotation, ``back`` when the injector took the fault back,
    ``healed`` when everything that is wanted was in rotation again; ``None``: it was not so, or not seen.
    """

    kind: str
    victim: str
    began: float
    out: float | None = None
    back: float | None = None
    healed: float | None = None

    @property
    def time_out(self) -> float | None:
        return None if self.out is None else self.out - self.began

    @property
    def time_to_heal(self) -> float | None:
        """Seconds to heal, from when it could be healed."""
        return None if self.healed is None else self.healed - (self.began if self.back is None else self.back)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """One failed request: what kind of user, how it failed, from when to when it was in flight."""

    user: str
    outcome: str
    began: float
    ended: float
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """All of one kind of fault. ``idempotent`` counts by class of users, ``outcomes`` by what was seen.

    Times are seconds, empty where there are none.
    """

    kind: str
    times: int
    idempotent: Mapping[str, int]
    posts: int
    out: tuple[float, ...] = ()
    heal: tuple[float, ...] = ()
    outcomes: Mapping[str, int]

    @property
    def lost(self) -> int:
        return sum(self.idempotent.values()) + self.posts


def culprit(happenings: Sequence[Happening], lost: Lost) -> Happening | None:
    """Return the first fault that was going on while the request was in flight, or had just healed."""
    for late in (0.0, LATE):
        for one in happenings:
            until = float("inf") if one.healed is None else one.healed + late
            if one.began <= lost.ended and lost.began <= until:
                return one
    return None


def lines(order: Sequence[str], happenings: Sequence[Happening], losses: Sequence[Lost]) -> tuple[Line, ...]:
    """Return a line for each kind in ``order``, and one for what no fault explains if there is such."""
    blamed: dict[str, list[Lost]] = {}
    for lost in losses:
        found = culprit(happenings, lost)
        blamed.setdefault(NONE if found is None else found.kind, []).append(lost)
    names = [*order, *([NONE] if NONE in blamed else [])]
    return tuple(
        _line(name, [h for h in happenings if h.kind == name], blamed.get(name, [])) for name in names
    )


def _line(name: str, happenings: Sequence[Happening], losses: Sequence[Lost]) -> Line:
    idempotent = Counter(lost.user for lost in losses if lost.user != POST)
    return Line(
        kind=name,
        times=len(happenings),
        idempotent=idempotent,
        posts=sum(lost.user == POST for lost in losses),
        out=tuple(t for h in happenings if (t := h.time_out) is not None),
        heal=tuple(t for h in happenings if (t := h.time_to_heal) is not None),
        outcomes=Counter(f"{lost.user} {lost.outcome}" for lost in losses),
    )


def total(found: Sequence[Line]) -> Line:
    """Return the sum of all lines."""
    idempotent: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for line in found:
        idempotent.update(line.idempotent)
        outcomes.update(line.outcomes)
    return Line(
        kind="all",
        times=sum(line.times for line in found),
        idempotent=idempotent,
        posts=sum(line.posts for line in found),
        out=tuple(t for line in found for t in line.out),
        heal=tuple(t for line in found for t in line.heal),
        outcomes=outcomes,
    )


def median_and_worst(times: Sequence[float]) -> str:
    """Return ``median / worst`` in seconds, a dash for no time at all."""
    if not times:
        return "–"
    return f"{_seconds(statistics.median(times))} / {_seconds(max(times))}"


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
