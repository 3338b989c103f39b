"""The output of an instance as a page may show it: bounded, and text without what is for terminals.

Whatever an instance writes is somebody else's: it may be endless, hostile, or come faster than anybody reads.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

MOST = 2_000
"""Lines that a page shows, and that wait for one that is slow."""

LONGEST = 4_000
"""Characters of a line that are shown."""

GATHER = 0.1
"""Seconds in which lines are sent together."""

# ECMA-48: control sequences, then strings (titles, links) up to their end, then other escapes.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]")

# What is left of controls is made visible; so is what reverses the direction of text (CVE-2021-42574).
_VISIBLE = {code: 0x2400 + code for code in range(32) if code != 9} | {127: 0x2421}
_VISIBLE |= dict.fromkeys((*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)


def tame(line: str) -> str:
    """Return a line as text to be shown."""
    text = _ESCAPES.sub("", line[: 2 * LONGEST]).translate(_VISIBLE)
    return text if len(text) <= LONGEST and len(line) <= 2 * LONGEST else text[:LONGEST] + " …"


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines that came since the last; ``lost`` are those before them that nobody was there to take."""

    lines: tuple[str, ...]
    lost: int = 0


async def batches(source: AsyncIterator[str], beat: float) -> AsyncIterator[Batch]:
    """Yield what ``source`` writes, several lines at once; an empty batch after ``beat`` seconds without any.

    Ends with the source, and raises what it raised. At most :data:`MOST` lines are kept for one that is slow.
    """
    waiting: deque[str] = deque(maxlen=MOST)
    news, lost = asyncio.Event(), 0

    async def read() -> None:
        nonlocal lost
        async for line in source:
            lost += len(waiting) == MOST
            waiting.append(tame(line))
            news.set()
            await asyncio.sleep(0)  # a source that never pauses leaves others their turn

    reading = asyncio.create_task(read())
    reading.add_done_callback(lambda _: news.set())
    try:
        while not reading.done() or waiting:
            with suppress(TimeoutError):
                async with asyncio.timeout(beat):
                    await news.wait()
                    await asyncio.sleep(GATHER)
            if not reading.done():
                news.clear()
            batch = Batch(tuple(waiting), lost)
            waiting.clear()
            lost = 0
            yield batch
        await reading
    finally:
        reading.cancel()
        await asyncio.wait([reading])
