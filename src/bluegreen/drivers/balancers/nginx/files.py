"""Writes files so that a crash leaves the old or the new one, whole, and tidies up what is left over.

Rule: nothing of the driver is readable by others (certificates and passwords are among it).
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from bluegreen.drivers.balancers.nginx.render import HEADER
from bluegreen.drivers.proxies.files import unwritable

_OURS = re.compile(r"(applied|cert|users|page)-[0-9a-f]+\.(json|pem|htpasswd|html)")
_GENERATION = re.compile(re.escape(HEADER) + r"(\d+)")


def put_all(folder: Path, files: Mapping[str, str]) -> None:
    """Write ``files`` durably; not atomic. Raises ``disk_full``, ``state_unwritable``."""
    try:
        for name, text in files.items():
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fdatasync(file.fileno())
    except OSError as error:
        raise unwritable(folder, error) from None


def rename(folder: Path, before: str, after: str) -> None:
    """Put a file in the place of another, durably."""
    try:
        os.replace(folder / before, folder / after)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unwritable(folder, error) from None


def tidy(folder: Path, needed: Collection[str]) -> None:
    """Remove what former configurations needed."""
    for path in folder.iterdir():
        if _OURS.fullmatch(path.name) and path.name not in needed:
            path.unlink(missing_ok=True)


def read(path: Path) -> str | None:
    """Return the text of ``path``, ``None`` when it does not exist."""
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return None


def generation_of(config: str | None) -> int:
    """Return the generation that a configuration says of itself, 0 without one."""
    found = _GENERATION.match(config or "")
    return int(found.group(1)) if found else 0
