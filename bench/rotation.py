"""Who gets new requests, by HAProxy's own table: what users meet, whatever the controller thinks of it."""

from __future__ import annotations

import asyncio
import csv
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bench.peers import command

_WAYS_IN = ("UP", "no check")


def names_in(table: str) -> frozenset[str]:
    """Return the instances that ``show stat`` calls up.

    Their twins (``:last``), which stand by for the case that nobody is up, and probes do not count; an
    instance that came back while its former self ends is named ``NAME:2``.
    """
    found = set()
    for row in csv.reader(table.splitlines()):
        if len(row) > 17 and row[17].startswith(_WAYS_IN):
            name, _, suffix = row[1].partition(":")
            if not suffix or suffix.isdigit():
                found.add(name)
    return frozenset(found)


class Rotation:
    """Asks HAProxy of one controller's home again and again."""

    def __init__(self, home: Path) -> None:
        self._socket = home / "balancer" / "admin.sock"

    async def names(self) -> frozenset[str] | None:
        """Return who is in, ``None`` when HAProxy does not answer: then nothing is known."""
        with suppress(OSError, TimeoutError):
            return names_in(await command(self._socket, "show stat -1 4 -1"))
        return None

    async def when(
        self, true: Callable[[frozenset[str]], bool], within: float, every: float = 0.02
    ) -> float | None:
        """Return when (monotonic seconds) ``true`` held of those in rotation; ``None`` if it did not."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            names = await self.names()
            if names is not None and true(names):
                return time.monotonic()
            await asyncio.sleep(every)
        return None
