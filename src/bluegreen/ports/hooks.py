"""Hooks: the durable list of them, and the memory of what they were sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bluegreen.domain.hooks import Delivery, Hook

KEPT = 86_400.0
"""Seconds for which a delivery is remembered, at least: far beyond the age at which one is refused."""


class HookStore(Protocol):
    """Raises what :class:`bluegreen.ports.journal.Journal` raises for the same file."""

    async def hooks(self) -> Sequence[Hook]:
        """Return all hooks that were not removed, oldest first."""
        ...

    async def keep_hook(self, hook: Hook) -> None:
        """Store a hook. Raises ``UserError`` (``hook_exists``) when its id or name is taken."""
        ...

    async def remove_hook(self, id: str) -> bool:
        """Forget a hook; return whether it was there."""
        ...

    async def remember(self, delivery: Delivery) -> Delivery | None:
        """Remember a delivery, durably, unless there is one of that hook with that id.

        Return that one as it was, ``None`` for a new delivery. What is remembered has the later ``sent_at``
        of both. May forget what was taken more than :data:`KEPT` seconds before this one.
        """
        ...
