"""The settings of the SQLite journal."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """Times are seconds. The file is created with its folders when it is missing, for its owner only:
    it holds the environment of services, and so their secrets.

    ``synchronous``: ``full`` survives the loss of power with everything that was recorded, ``normal``
    may lose the last moments then, never its consistency. ``lock_timeout`` is how long to wait for
    another process that writes, ``deadline`` for any call altogether. ``keep_events`` is about how
    many events, and how many lines of the audit trail, stay as history.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    synchronous: Literal["full", "normal"] = "full"
    lock_timeout: float = Field(default=5.0, ge=0)
    deadline: float = Field(default=30.0, gt=0)
    keep_events: int = Field(default=100_000, ge=1)
