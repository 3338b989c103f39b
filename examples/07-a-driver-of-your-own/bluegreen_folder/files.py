"""Files that are replaced as a whole, and a lock between processes: all that the registry needs of a disk.

Every trouble of the disk becomes ``registry_down``, here and nowhere else.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO

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


@asynccontextmanager
async def alone(folder: Path, deadline: float) -> AsyncIterator[None]:
    """Hold the folder's lock: what is read inside is still true when it is written.

    Asks again and again rather than waiting in the kernel: whoever is frozen with the lock in hand would
    freeze this process, too.
    """
    with reachable(folder), (folder / ".lock").open("w") as handle:
        until = time.monotonic() + deadline
        while not _taken(handle):
            if time.monotonic() > until:
                raise TimeoutError(f"another process has held {folder}/.lock for {deadline:g} s")
            await asyncio.sleep(0.01)
        yield


def _taken(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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


def beat(path: Path) -> Path:
    """Return the file whose age is that of the last sign of life of who reports ``path``."""
    return path.with_name(f".{path.stem}.beat")


def fresh(path: Path, expiry: float) -> bool:
    """Return whether ``path`` was touched within the last ``expiry`` seconds."""
    try:
        return time.time() - path.stat().st_mtime < expiry
    except FileNotFoundError:
        return False


def marks(folder: Path, expiry: float) -> frozenset[tuple[str, int]]:
    """Return what changes whenever a file below ``folder`` does, or a reporter dies or comes back.

    That a reporter goes on living is no change: nobody needs to look again for that.
    """
    found = {(str(path), int(fresh(path, expiry))) for path in folder.rglob(".*.beat")}
    for path in folder.rglob("[!.]*.json"):
        try:
            found.add((str(path), path.stat().st_mtime_ns))
        except FileNotFoundError:
            continue
    return frozenset(found)
