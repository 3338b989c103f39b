"""Writes files for other programs: whole or not at all, and for their owner only.

Used by ``export``. What it writes may hold passwords and keys, and monit reads no file that others may read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bluegreen.domain.errors import UserError


def replace_file(path: Path, text: str) -> bool:
    """Replace ``path`` by ``text`` in one step; return whether it differed.

    Raises ``UserError`` (``output_unwritable``).
    """
    try:
        if path.is_file() and path.read_bytes() == text.encode():
            return False
        # The dot keeps it from readers of the whole folder, such as monit.
        candidate = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(candidate, path)
    except OSError as error:
        raise _unwritable(path, error) from error
    return True


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Write ``files`` into ``folder``, which is made if need be. Raises ``output_unwritable``."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    for name, text in files.items():
        replace_file(folder / name, text)


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"cannot write {path}: {error.strerror or error}",
        code="output_unwritable",
        hint="Give a path that you may write to.",
    )
