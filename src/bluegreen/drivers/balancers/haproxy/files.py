"""Writes files so that a crash leaves the old or the new one, whole, and tidies up what is left over.

Rule: nothing of the driver is readable by others (certificates and passwords are among it).
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from bluegreen.drivers.balancers.haproxy.render import HEADER
from bluegreen.drivers.proxies.files import unwritable

_OURS = re.compile(r"(routes|hosts|cert|page)-[0-9a-f]+\.(map|log|pem|html)")
_GENERATION = re.compile(re.escape(HEADER) + r"(\d+)")


def write(path: Path, text: str) -> None:
    """Replace ``path`` by ``text``, atomically and durably. Raises ``disk_full``, ``state_unwritable``."""
    candidate = path.with_name(path.name + ".new")
    try:
        put(candidate, text)
        os.replace(candidate, path)
        sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from None


def put(path: Path, text: str) -> None:
    """Write ``text`` durably; not atomic."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fdatasync(file.fileno())


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_all(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Write those of ``files`` that do not exist yet; return their paths."""
    fresh = [folder / name for name in files if not (folder / name).exists()]
    try:
        for path in fresh:
            put(path, files[path.name])
    except OSError as error:
        raise unwritable(folder, error) from None
    return fresh


def remove(paths: Collection[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def tidy(folder: Path, needed: Collection[str]) -> None:
    """Remove the maps, certificates and pages of former structures."""
    remove([p for p in folder.iterdir() if _OURS.fullmatch(p.name) and p.name not in needed])


def read(path: Path) -> str | None:
    """Return the text of ``path``, ``None`` when it does not exist."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def generation_of(config: str | None) -> int:
    """Return the generation that a configuration says of itself, 0 without one."""
    found = _GENERATION.match(config or "")
    return int(found.group(1)) if found else 0
