"""One line of the results: what was measured, against what, and whether the bar is met.

Made by each module of :mod:`bench.rows`, printed by :mod:`bench.table`.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


class NotMeasured(Exception):
    """What a row needs is not there (a program, a part of bluegreen); the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One result.

    ``ours`` and ``peer`` are texts with units, ``ratio`` is ours / peer in the sense of ``bar`` (``None``
    where a count is the measure). ``ok`` is ``None`` where there is no bar or nothing was measured.
    ``how`` says what was done, ``note`` what the reader must know (spread, failures of the peer).
    """

    name: str
    ours: str
    peer: str
    ratio: float | None
    bar: str
    ok: bool | None
    how: str
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def spread(values: Sequence[float], unit: str, digits: int = 1) -> str:
    """Return ``median (lowest–highest) unit``."""
    middle, low, high = (f"{v:.{digits}f}" for v in (statistics.median(values), min(values), max(values)))
    return f"{middle} ({low}–{high}) {unit}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile, ``share`` of 0–100."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * share // 100) - 1)]
