"""Slows down whoever tries secrets out, by where it comes from: tokens and signatures alike."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from bluegreen.domain.errors import UserError

TRIES = 10
"""Wrong secrets from one origin within :data:`WINDOW` seconds; then it has to wait."""

WINDOW = 60.0

ORIGINS = 10_000
"""Origins whose tries are remembered at most: the memory of a controller is not theirs to fill."""


@dataclass(slots=True)
class Tries:
    """When the last wrong secrets came, by origin."""

    of: dict[str, deque[float]] = field(default_factory=dict)

    def check(self, origin: str, now: float) -> None:
        """Raises ``UserError`` (``too_many_tries``), with ``Retry-After`` as evidence, if ``origin`` has to
        wait."""
        recent = self.of.get(origin)
        if recent is None:
            return
        while recent and recent[0] <= now - WINDOW:
            recent.popleft()
        if len(recent) >= TRIES:
            raise _too_many(origin, recent[0] + WINDOW - now)

    def failed(self, origin: str, now: float) -> None:
        while origin not in self.of and len(self.of) >= ORIGINS:
            self.of.pop(next(iter(self.of)))
        self.of.setdefault(origin, deque(maxlen=TRIES)).append(now)


def _too_many(origin: str, wait: float) -> UserError:
    return UserError(
        f"too many wrong tokens or signatures from {origin}",
        code="too_many_tries",
        evidence=(("Retry-After", f"{int(wait) + 1}"),),
        hint="Wait for a minute, then try again with the right one.",
    )
