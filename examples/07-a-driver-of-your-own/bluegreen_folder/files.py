"""What the registry needs of a disk: files replaced as a whole, a lock between processes, and a deadline.

Every trouble of the disk becomes ``registry_down``, here and nowhere else.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from bluegreen.domain.errors import Temporary

T = TypeVar("T")
THREADS = 4


class Disk:
    """A folder that may be away, slow or hanging. Work on it is done in threads: the event loop goes on.

    Work that hangs keeps its thread, and may be done after its caller has given up; so do as much as is
    wanted when it is done, not as was wanted when it was asked for.
    """

    def __init__(self, folder: Path, deadline: float) -> None:
        self.folder = folder
        self._deadline = deadline
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="folder")

    async def do(self, work: Callable[[], T]) -> T:
        """Return what ``work`` does. Raises ``Temporary`` (``registry_down``) at the deadline or before."""
        try:
            async with asyncio.timeout(self._deadline):
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._whole, work)
        except OSError as error:
            raise Temporary(
                f"the folder {self.folder} cannot be used",
                code="registry_down",
                evidence=(("system", str(error) or f"no answer within {self._deadline:g} s"),),
                hint="Mount it, or give another one: `folder:///PATH`. Traffic stays as it is.",
            ) from error

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _whole(self, work: Callable[[], T]) -> T:
        """Do it, unless the folder goes away meanwhile: what was found by then would pass for all of it."""
        before = self.folder.stat()
        done = work()
        if not os.path.samestat(before, self.folder.stat()):
            raise FileNotFoundError(f"{self.folder} was replaced by another one")
        return done

    @contextmanager
    def locked(self, *, shared: bool = False) -> Iterator[None]:
        """Hold the folder's lock, for work: alone, to write what follows from what was read; shared, to read
        what no writer is in the middle of.

        Asks again and again rather than waiting in the kernel, and for half of the deadline, so that the
        caller is told who is in the way.
        """
        with (self.folder / ".lock").open("w") as handle:
            until = time.monotonic() + self._deadline / 2
            while not _taken(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
                if time.monotonic() > until:
                    raise TimeoutError(f"another process keeps {self.folder}/.lock")
                time.sleep(0.01)
            yield

    def put(self, path: Path, text: str) -> None:
        """Replace ``path``: readers see the former text or the new one, never a part, never nothing.

        Folders on the way are made, but never the registry's own: where its file system is not mounted, that
        would be a registry of nobody else's, which keeps the real one from coming back.
        """
        for part in reversed(path.relative_to(self.folder).parents[:-1]):
            (self.folder / part).mkdir(exist_ok=True)
        candidate = path.with_name(f".{path.name}.{os.getpid()}")
        candidate.write_text(text, encoding="utf-8")
        os.replace(candidate, path)


def _taken(handle: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield each file of a folder with what it holds; one that vanishes meanwhile is gone."""
    for name in _names(folder):
        if name.endswith(".json") and not name.startswith("."):
            try:
                yield folder / name, (folder / name).read_bytes()
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


def marks(folders: tuple[Path, ...], expiry: float) -> frozenset[tuple[str, int, int]]:
    """Return what changes whenever a file of ``folders`` does, or a reporter dies or comes back.

    That a reporter goes on living is no change: nobody needs to look again for that. A file's number tells
    apart two that were written within one tick of the disk's clock.
    """
    found = set()
    for path in (folder / name for folder in folders for name in _names(folder)):
        if path.suffix == ".beat":
            found.add((str(path), int(fresh(path, expiry)), 0))
        elif path.suffix == ".json" and not path.name.startswith("."):
            try:
                seen = path.stat()
            except FileNotFoundError:
                continue
            found.add((str(path), seen.st_mtime_ns, seen.st_ino))
    return frozenset(found)


def _names(folder: Path) -> list[str]:
    """Return what is in a folder. One that is not there has nothing; one that cannot be read raises."""
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
