"""A registry in a folder that several hosts share: one file per announcement and per document.

The whole of a driver: ``Options`` (what a user may set), ``open_registry`` (named by the entry point), and a
class that keeps the port :class:`bluegreen.ports.registry.Registry`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from bluegreen_folder.registry import FolderRegistry


class Options(BaseModel):
    """As a URL: ``folder:///srv/registry?pause=0.5``. Times are seconds.

    ``path`` is the folder; it exists. ``pause`` lies between two looks for changes; a report whose reporter
    gave no sign of life for ``expiry`` is no longer shown; ``deadline`` is how long the disk may take for one
    call, half of it to wait for the folder's lock.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    pause: float = Field(default=0.2, gt=0)
    expiry: float = Field(default=10.0, gt=0)
    deadline: float = Field(default=5.0, gt=0)


@asynccontextmanager
async def open_registry(options: Options) -> AsyncIterator[FolderRegistry]:
    """Open the registry. Leaving it takes its reports back, and leaves what was announced."""
    registry = FolderRegistry(options.path, options.pause, options.expiry, options.deadline)
    try:
        yield registry
    finally:
        await registry.close()


__all__ = ["FolderRegistry", "Options", "open_registry"]
