"""A keepsake in a file: replaced as a whole, so that a power cut leaves the former or the new one."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from bluegreen.domain.errors import Temporary


class FileKeepsake:
    """See :class:`bluegreen.ports.keepsake.Keepsake`. Readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def load(self) -> str | None:
        return await asyncio.to_thread(self._load)

    async def keep(self, text: str) -> None:
        await asyncio.to_thread(self._keep, text)

    def _load(self) -> str | None:
        try:
            return self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def _keep(self, text: str) -> None:
        candidate = self._path.with_name(self._path.name + ".new")
        try:
            descriptor = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(candidate, self._path)
        except OSError as error:
            raise Temporary(
                f"{self._path} cannot be written: {error.strerror}",
                code="copy_unwritable",
                hint="Free some space or mend its permissions; what is carried now goes on.",
            ) from error
