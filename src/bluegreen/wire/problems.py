"""Errors that went over the wire become again the errors they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bluegreen.domain.errors import BluegreenError, Bug, OutcomeUnknown, Permanent, Temporary, UserError

_GROUPS: dict[str, type[BluegreenError]] = {
    kind.group: kind for kind in (UserError, Temporary, Permanent, OutcomeUnknown, Bug)
}


def answered(found: Mapping[str, Any]) -> BluegreenError:
    """Return the error that a problem document of the API describes."""
    return _error(found, str(found.get("title", "")), found.get("evidence", ()))


def printed(found: Mapping[str, Any]) -> BluegreenError:
    """Return the error that the command line printed with ``--json``."""
    pairs = [(seen["label"], seen["text"]) for seen in found.get("evidence", ())]
    return _error(found, str(found.get("message", "")), pairs)


def _error(found: Mapping[str, Any], message: str, evidence: Any) -> BluegreenError:
    kind = _GROUPS.get(str(found.get("group")), Permanent)
    return kind(
        message,
        code=str(found.get("code", "unknown")),
        hint=str(found.get("hint", "")),
        evidence=tuple((str(label), str(text)) for label, text in evidence),
    )
