"""What SQLite says, in our words. The only place that knows its error codes.

Every way into the database runs inside :func:`translated`, so that callers see nothing but
:mod:`bluegreen.domain.errors`. Codes: https://www.sqlite.org/rescode.html
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from bluegreen.domain.errors import BluegreenError, Bug, OutcomeUnknown, Permanent, Temporary
from bluegreen.ports.codec import UndecodableError

_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_FORBIDDEN = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}
_FULL_DISK = {errno.ENOSPC, errno.EDQUOT}
_LITTLE_SPACE = 256 * 1024
"""Bytes. SQLite reports a disk too full for its index file as an I/O error like any other."""


@contextmanager
def translated(path: Path, *, writing: bool) -> Iterator[None]:
    """Raise what happens inside as an error of the domain. ``writing``: something may be stored."""
    try:
        yield
    except UndecodableError as error:
        raise corrupt(path, str(error)) from error
    except (DBAPIError, sqlite3.Error) as error:
        raise _of_sqlite(path, error, writing) from error
    except UnicodeEncodeError as error:
        raise _refused(path, str(error)) from error
    except OSError as error:
        raise _of_system(path, error) from error


def corrupt(path: Path, detail: str) -> Permanent:
    return Permanent(
        f"The journal {path} is damaged.",
        code="journal_corrupt",
        evidence=(("journal", str(path)), ("found", detail)),
        hint=f"Stop the controller, move the file aside (mv {path} {path}.damaged; likewise {path}-wal and "
        f"{path}-shm if they exist), start it again and run `bluegreen up` with your stack file: what runs "
        "is found again by its labels and keeps its traffic; only history is lost.",
    )


def newer(path: Path, revision: str, known: str) -> Permanent:
    return Permanent(
        f"The journal {path} was written by a newer bluegreen.",
        code="journal_newer",
        evidence=(("journal", str(path)), ("its schema", revision), ("newest known here", known)),
        hint="Upgrade this bluegreen to the version that wrote the journal, or give this one another "
        "state directory with --state-dir.",
    )


def foreign(path: Path, detail: str) -> Permanent:
    return Permanent(
        f"{path} is a database, but not a journal of bluegreen.",
        code="journal_foreign",
        evidence=(("journal", str(path)), ("found", detail)),
        hint="Choose another path for the journal; this file was left as it is.",
    )


def _of_sqlite(path: Path, error: DBAPIError | sqlite3.Error, writing: bool) -> BluegreenError:
    raw = error.orig if isinstance(error, DBAPIError) else error
    extended = int(getattr(raw, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR)
    primary = extended & 0xFF
    said = f"{raw} ({getattr(raw, 'sqlite_errorname', 'no code')})"
    if primary in _LOCKED:
        return _locked(path, said)
    if primary in _CORRUPT:
        return corrupt(path, said)
    if primary == sqlite3.SQLITE_FULL or (primary == sqlite3.SQLITE_IOERR and _is_full(path)):
        return _full(path, said)
    if primary in _FORBIDDEN:
        return _forbidden(path, said)
    if primary == sqlite3.SQLITE_IOERR:
        return _io(path, said, writing)
    return _refused(path, said)


def _of_system(path: Path, error: OSError) -> BluegreenError:
    said = error.strerror or str(error)
    return _full(path, said) if error.errno in _FULL_DISK else _forbidden(path, said)


def _locked(path: Path, said: str) -> Temporary:
    return Temporary(
        f"Another process is writing to the journal {path}.",
        code="journal_locked",
        evidence=(("journal", str(path)), ("it said", said)),
        hint=f"Try again. If it stays so, find the process with `fuser -v {path}` and end it: a journal "
        "belongs to one controller.",
    )


def _full(path: Path, said: str) -> Temporary:
    return Temporary(
        f"The disk that holds the journal {path} is full.",
        code="disk_full",
        evidence=(("journal", str(path)), ("it said", said)),
        hint=f"Free some space on the file system of {path.parent}, then try again. "
        "Nothing was recorded, and traffic stays as it is.",
    )


def _forbidden(path: Path, said: str) -> Permanent:
    return Permanent(
        f"The journal {path} cannot be opened for writing.",
        code="journal_forbidden",
        evidence=(("journal", str(path)), ("it said", said)),
        hint="Give the user of the controller the right to write the file and its folder, or choose "
        "another folder with --state-dir.",
    )


def _refused(path: Path, said: str) -> Bug:
    return Bug(
        f"The journal {path} refused a statement.",
        code="journal_refused",
        evidence=(("journal", str(path)), ("it said", said)),
        hint="Traffic was left as it is. Please report this with the evidence.",
    )


def _io(path: Path, said: str, writing: bool) -> BluegreenError:
    evidence = (("journal", str(path)), ("it said", said))
    hint = "Look into the kernel's log for errors of this disk; traffic stays as it is."
    if writing:
        return OutcomeUnknown(
            f"Writing to the journal {path} failed half-way.", code="journal_io", evidence=evidence, hint=hint
        )
    return Temporary(f"Reading the journal {path} failed.", code="journal_io", evidence=evidence, hint=hint)


def _is_full(path: Path) -> bool:
    try:
        room = os.statvfs(path.parent)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < _LITTLE_SPACE
