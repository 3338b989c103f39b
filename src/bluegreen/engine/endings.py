"""Ends instances beside the loop of their service: what takes its whole grace to die holds nobody up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from bluegreen.domain.errors import BluegreenError
from bluegreen.engine.ledger import ServiceKey

log = structlog.get_logger()


class Endings:
    """At most one ending of an instance is under way; its end, good or bad, wakes the service's loop."""

    def __init__(self, wake: Callable[[ServiceKey], None], group: asyncio.TaskGroup) -> None:
        self._wake = wake
        self._group = group
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def begin(self, owner: ServiceKey, name: str, end: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have ``end`` awaited in the background, unless the instance is ending already."""
        if name not in self._under_way:
            self._under_way[name] = self._group.create_task(self._end(owner, name, end), name=f"end {name}")

    def ending(self, name: str) -> bool:
        return name in self._under_way

    async def _end(self, owner: ServiceKey, name: str, end: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await end()
        except BluegreenError as error:
            log.warning("ending.failed", instance=name, error=error.message)  # met again at the next look
        finally:
            del self._under_way[name]
            self._wake(owner)
