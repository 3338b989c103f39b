"""Stages for what is kept beside the journal (tokens, answers, hooks): in memory, and in a journal's file."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen.drivers.journal.sqlite import Options, open_journal


@dataclass(frozen=True)
class Stage:
    """``open`` yields the store as a controller that starts anew finds it."""

    open: Callable[[], AbstractAsyncContextManager[Any]]


@asynccontextmanager
async def in_memory(store: object) -> AsyncIterator[Stage]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[object]:
        yield store

    yield Stage(opened)


@asynccontextmanager
async def in_a_file() -> AsyncIterator[Stage]:
    with tempfile.TemporaryDirectory() as folder:
        yield Stage(lambda: open_journal(Options(path=Path(folder) / "journal.sqlite")))
