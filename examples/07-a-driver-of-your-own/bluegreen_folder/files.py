"""Files that are replaced as a whole, and a lock between processes: all that the registry needs of a disk.

Every trouble of the disk becomes ``registry_down``, here and nowhere else.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bluegreen.domain.errors import Temporary


@contextmanager
def reachable(folder: Path) -> Iterator[None]:
    """Translate what the disk says into what the caller can act on."""
    try:
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder} is not there")
        yield
    except OSError as error:
        raise Temporary(
            f"the folder {folder} cannot be used",
            code="registry_down",
            evidence=(("system", str(error)),),
            hint="Mount it, or give another one: `folder:///PATH`. Traffic stays as it is.",
        ) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: what is read inside is still true when it is written."""
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def put(path: Path, text: str) -> None:
    """Replace ``path``: readers see the former text or the new one, never a part, never nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    candidate = path.with_name(f".{path.name}.{os.getpid()}")
    candidate.write_text(text, encoding="utf-8")
    os.replace(candidate, path)


def texts(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file of a folder with what it holds; one that vanishes meanwhile is gone."""
    for path in sorted(folder.glob("[!.]*.json")):
        try:
            yield path, path.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue


def marks(folder: Path) -> frozenset[tuple[str, int]]:
    """Return what changes whenever a file below ``folder`` does."""
    found = set()
    for path in folder.rglob("[!.]*.json"):
        try:
            found.add((str(path), path.stat().st_mtime_ns))
        except FileNotFoundError:
            continue
    return frozenset(found)
