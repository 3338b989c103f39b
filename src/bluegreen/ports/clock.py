"""Clock: the time, and waiting for it."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Return UNIX seconds."""
        ...

    async def wait(self, event: asyncio.Event, timeout: float | None) -> bool:
        """Wait until ``event`` is set (true) or ``timeout`` seconds have passed (false)."""
        ...
