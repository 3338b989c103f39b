"""What is known of each instance, on disk: one JSON file per instance, replaced as a whole.

The next controller finds here what to adopt. A file is complete and durable (fsync of file and
folder) before a process is let go, or it is the old one.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from bluegreen.domain.errors import Permanent, Temporary
from bluegreen.domain.instance import InstanceSpec
from bluegreen.drivers.runtimes.process.identity import ProcessId


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One instance: as it was wanted, and the process that was last started for it.

    ``wanted`` is false once a person stopped it. ``started_at`` is UNIX seconds.
    """

    spec: InstanceSpec
    wanted: bool = True
    port: int | None = None
    process: ProcessId | None = None
    started_at: float = 0.0
    restarts: int = 0
    exit_code: int | None = None
    oom_killed: bool = False
    ended: bool = False
    error: str = ""


_CODEC = TypeAdapter(Record)


class Store:
    """The records of one state folder. Its methods block: call them in a thread.

    A thread outlives the task that waits for it: after :meth:`close` nothing is written any more, so
    that a controller which has let go never writes into the files of the next one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """Wait for the write under way; whoever writes later has let go of its instance already."""
        with self._lock:
            self._closed = True

    def load(self) -> list[Record]:
        """Return all records. Raises ``Permanent`` (``state_corrupt``) rather than leave one out."""
        with _translated(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            return [self._read(path) for path in sorted(self.folder.glob("*.json"))]

    def save(self, record: Record) -> None:
        """Replace the instance's record, durably. Raises ``disk_full``, ``state_unwritable``."""
        path = self._path(record.spec.name)
        draft = path.with_suffix(".tmp")
        with self._lock, _translated(path):
            if self._closed:
                return
            try:
                with open(draft, "wb", opener=_private) as file:
                    file.write(_CODEC.dump_json(record))
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(path)
                self._sync_folder()
            except OSError:
                with suppress(OSError):
                    draft.unlink()
                raise

    def delete(self, name: str) -> None:
        with self._lock, _translated(self._path(name)):
            if not self._closed:
                self._path(name).unlink(missing_ok=True)
                self._sync_folder()

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _read(self, path: Path) -> Record:
        try:
            return _CODEC.validate_json(path.read_bytes())
        except ValidationError as error:
            raise Permanent(
                f"the record of an instance cannot be read: {path}",
                code="state_corrupt",
                hint="Look whether its process still runs, end it if so, then delete the file.",
                evidence=(("file", str(path)), ("problem", str(error.errors()[0]["msg"]))),
            ) from error

    def _sync_folder(self) -> None:
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _private(path: str, flags: int) -> int:
    """Open for this user only: a record holds the environment, and so its secrets."""
    return os.open(path, flags, 0o600)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Temporary(
                f"the disk is full: {path} cannot be written",
                code="disk_full",
                hint="Free space there; what runs goes on running meanwhile.",
                evidence=(("path", str(path)),),
            ) from error
        raise Permanent(
            f"{path} cannot be written: {error.strerror}",
            code="state_unwritable",
            hint="Give the controller's user the right to write there, or choose another --state-dir.",
            evidence=(("path", str(path)), ("errno", str(error.errno))),
        ) from error
