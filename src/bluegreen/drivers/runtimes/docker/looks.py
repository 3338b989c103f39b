"""What the Engine's list says of a container, in the same words as an inspection: has it changed? Pure.

Called by the runtime for each row of a list. What a row does not show (exit code, start, restarts) must
be found by inspection; what it does show proves, without an event, that an earlier inspection is out of
date.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

Look = tuple[str, str, str, frozenset[tuple[str, str]]]
"""(state, name, health, (network, address) of each of its networks)."""

_HEALTH = re.compile(r"\((?:health: )?(starting|healthy|unhealthy)\)$")


def of_row(row: Json) -> Look:
    """Return the look of one element of ``GET /containers/json``."""
    # Legacy links make further names, which hold a second slash.
    own = (name.lstrip("/") for name in row.get("Names") or () if name.count("/") == 1)
    health = _HEALTH.search(row.get("Status") or "")
    return row["State"], next(own, ""), health[1] if health else "", _addresses(row)


def of_inspected(inspected: Json) -> Look:
    """Return the look of ``GET /containers/{id}/json``."""
    state = inspected["State"]
    running = state["Status"] == "running"
    health = (state.get("Health") or {}).get("Status", "") if running else ""
    shown = "" if health == "none" else health
    return state["Status"], inspected["Name"].lstrip("/"), shown, _addresses(inspected)


def _addresses(container: Json) -> frozenset[tuple[str, str]]:
    networks: Json = (container.get("NetworkSettings") or {}).get("Networks") or {}
    return frozenset((name, (known or {}).get("IPAddress") or "") for name, known in networks.items())
