"""Keepsake: one text that outlives the process, for what was last known to be good."""

from __future__ import annotations

from typing import Protocol


class Keepsake(Protocol):
    async def load(self) -> str | None:
        """Return the text that was kept last; ``None`` when there is none or it cannot be read."""
        ...

    async def keep(self, text: str) -> None:
        """Replace the text, durably and at once as a whole. Raises ``Temporary`` (``disk_full`` …)."""
        ...
