"""What ``doctor`` finds, row by row."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One finding. ``level`` is ``ok``, ``note`` (an option that is not there) or ``bad``."""

    what: str
    level: str
    detail: str
    do: str = ""
