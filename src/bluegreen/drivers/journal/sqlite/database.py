"""Opening the file: its settings, its header, its schema, and transactions on it.

Called by the store, in the worker's thread. A new file gets the tables as they are now; Alembic is imported
only for a file of an older version: it would cost every start a third of a second.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine

from bluegreen.drivers.journal.sqlite import faults
from bluegreen.drivers.journal.sqlite.options import Options
from bluegreen.drivers.journal.sqlite.tables import APPLICATION_ID, REVISIONS, metadata

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOG_BYTES = 16 * 1024 * 1024
"""To what size the write-ahead log is cut back after it once was larger."""


def connect(options: Options) -> Connection:
    """Return a connection to a journal that is sound as far as can be told, and up to date."""
    crashed = _has_leftover_log(options.path)
    _create_private(options.path)
    connection = create_engine("sqlite://", creator=lambda: _raw(options), poolclass=NullPool).connect()
    try:
        current = _inspect(connection, options.path) == REVISIONS[-1]
        if crashed:
            _examine(connection, options.path)
        if not current:
            _upgrade(connection, options.path)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: Connection, kind: str) -> Iterator[Connection]:
    """``kind`` is ``DEFERRED`` for a consistent look, ``IMMEDIATE`` to compare and set."""
    with connection.begin():
        connection.exec_driver_sql(f"BEGIN {kind}")
        yield connection


def _raw(options: Options) -> sqlite3.Connection:
    # ``isolation_level`` of None: the module begins no transactions on its own; we do.
    raw = sqlite3.connect(options.path, timeout=options.lock_timeout, isolation_level=None)
    try:
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute(f"PRAGMA synchronous = {options.synchronous}")
        raw.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        raw.execute("PRAGMA cell_size_check = ON")
        raw.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        raw.close()
        raise
    return raw


def _create_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _has_leftover_log(path: Path) -> bool:
    """The last connection to close removes the log: if it is there, a process was killed (or lives)."""
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def _inspect(connection: Connection, path: Path) -> str | None:
    """Return the revision of the schema; ``None`` for a file that holds nothing yet."""
    with transaction(connection, "DEFERRED"):
        return _revision(connection, path)


def _revision(connection: Connection, path: Path) -> str | None:
    tables = set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars())
    if not tables:
        return None
    application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    if application != APPLICATION_ID or "alembic_version" not in tables:
        raise faults.foreign(path, f"application id {application:#x}, tables {', '.join(sorted(tables))}")
    revision = str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())
    if revision not in REVISIONS:
        raise faults.newer(path, revision, REVISIONS[-1])
    return revision


def _examine(connection: Connection, path: Path) -> None:
    with transaction(connection, "DEFERRED"):
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if found != "ok":
        raise faults.corrupt(path, str(found))


def _upgrade(connection: Connection, path: Path) -> None:
    with transaction(connection, "IMMEDIATE"):
        # Asked again under the lock: another controller may have done it in the meantime.
        revision = _revision(connection, path)
        if revision is None:
            _create(connection)
        elif revision != REVISIONS[-1]:
            _migrate(connection)


def _create(connection: Connection) -> None:
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    metadata.create_all(connection)
    # Alembic's own table, as it makes it: the next version begins there.
    connection.exec_driver_sql(
        "CREATE TABLE alembic_version ( version_num VARCHAR(32) NOT NULL,"
        " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num) )"
    )
    connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (REVISIONS[-1],))


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
