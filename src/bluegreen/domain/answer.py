"""The answer to a request that may come again, with the key that its sender gave it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``request`` is a digest of what was asked, ``at`` when (UNIX seconds), ``after`` the id of the newest
    event then. ``status`` is 0 as long as there is no answer: it is being carried out, or its controller
    died."""

    who: str
    key: str
    request: str
    at: float
    after: int = 0
    status: int = 0
    body: str = ""

    @property
    def errand(self) -> str:
        """What the events of this request bear, so that it is found again after a crash."""
        return hashlib.sha256(f"{self.who}\n{self.key}".encode()).hexdigest()[:16]
