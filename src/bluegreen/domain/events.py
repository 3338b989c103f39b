"""What happened: one row of the journal, one message of the event stream, one line of the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """``kind`` is a dotted constant (``rollout.phase``, ``instance.died``); ``message`` is for people.

    ``id`` is given by the journal, ascending, 0 before it was written. ``at`` is UNIX seconds.
    """

    kind: str
    message: str
    at: float
    id: int = 0
    stack: str = ""
    service: str = ""
    rollout: str = ""
    level: str = "info"
    data: Mapping[str, str] = field(default_factory=dict)
