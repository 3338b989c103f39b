"""Waiting for processes that are nobody's children here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable


async def until_one_ends(pids: Iterable[int]) -> None:
    """Return as soon as one of the processes has ended (told by the kernel, not polled)."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    watched: list[int] = []
    try:
        for pid in pids:
            watched.append(os.pidfd_open(pid))
            loop.add_reader(watched[-1], ended.set)
        await ended.wait()
    except ProcessLookupError:
        return
    finally:
        for descriptor in watched:
            loop.remove_reader(descriptor)
            os.close(descriptor)
