"""What was made for one is good for all who may see the same: a part of a page is rendered once for them.

Kept for a moment only, as numbers in flight change without an event.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field

FRESH = 0.5
"""Seconds for which it is kept."""

MOST = 200
"""Parts that are kept: beyond, those that are not fresh are dropped, or all of them."""


@dataclass(slots=True)
class _Kept:
    making: asyncio.Lock = field(default_factory=asyncio.Lock)
    body: bytes | None = None
    until: float = 0.0

    @property
    def fresh(self) -> bool:
        return time.monotonic() < self.until


class Shared:
    def __init__(self) -> None:
        self._kept: dict[Hashable, _Kept] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return what ``make`` made of ``key`` just now; who comes meanwhile waits for that."""
        self._make_room()
        kept = self._kept.setdefault(key, _Kept())
        async with kept.making:
            if kept.body is None or not kept.fresh:
                kept.body = await make()
                kept.until = time.monotonic() + FRESH
            return kept.body

    def _make_room(self) -> None:
        if len(self._kept) >= MOST:
            self._kept = {key: kept for key, kept in self._kept.items() if kept.fresh}
        if len(self._kept) >= MOST:
            self._kept.clear()
