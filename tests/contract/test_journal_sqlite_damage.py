"""The SQLite journal and files that are damaged, somebody else's, or too new."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Awaitable, Sized
from contextlib import closing
from pathlib import Path

import pytest

from bluegreen.domain.errors import BluegreenError, Permanent
from bluegreen.drivers.journal.sqlite import SqliteJournal
from bluegreen.ports.journal import Memory, Query, SaveStack
from bluegreen.testing.journal_contract.stage import a_stack, an_event, caught
from tests.support.journal_file import WRITER, fill, process, refused, use


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


# -- damaged -----------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"not a database\n" * 1000, b"SQLite format 3\0" + b"\xff" * 8000])
def test_garbage_is_reported_with_the_way_out(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    error = refused(path)
    assert isinstance(error, Permanent)
    assert error.code == "journal_corrupt"
    assert f"mv {path}" in error.hint
    assert "bluegreen up" in error.hint
    assert path.read_bytes() == content


def test_a_file_cut_short_is_reported(path: Path) -> None:
    fill(path)
    os.truncate(path, path.stat().st_size // 2)
    assert refused(path).code == "journal_corrupt"


def test_a_damaged_page_is_reported_or_was_not_needed(path: Path) -> None:
    fill(path, events=200)
    sound, size = path.read_bytes(), 4096
    reported = 0
    for start in range(0, len(sound), size):
        path.write_bytes(sound[:start] + b"\xa5" * size + sound[start + size :])
        codes = _codes_of_using(path)
        assert codes <= {"journal_corrupt"}, f"page {start // size}"
        reported += bool(codes)
    assert reported > len(sound) // size // 2


def _codes_of_using(path: Path) -> set[str]:
    """Return the codes of all errors met when every part of the journal is used.

    What is read without an error must be what was written.
    """
    codes: set[str] = set()

    async def expect(call: Awaitable[Sized], count: int) -> None:
        try:
            assert len(await call) == count
        except BluegreenError as error:
            codes.add(error.code)

    async def scenario(journal: SqliteJournal) -> None:
        await expect(journal.events(Query(limit=1000)), 200)
        await expect(journal.events(Query(stack="shop", service="web", limit=1000)), 200)
        await expect(journal.events(Query(rollout="r", limit=1000)), 0)
        await expect(journal.releases("shop", "web"), 1)
        await expect(journal.rollouts(Query()), 0)
        calls = (
            journal.load(),
            journal.hold("shop.web", "one", 0.0, 10.0),
            journal.record([SaveStack(a_stack(1, "blog"))], [an_event()]),
        )
        codes.update([error.code for call in calls if (error := await caught(call))])

    try:
        use(path, scenario)
    except BluegreenError as error:
        codes.add(error.code)
    return codes


def test_a_row_that_is_not_what_it_should_be_is_reported(path: Path) -> None:
    fill(path)
    for document in ("{", "[]", '{"spec": {"name": 7}, "generation": "x"}'):
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE stacks SET document = ?", [document])
        error = refused(path)
        assert error.code == "journal_corrupt"
        assert "StackRecord" in dict(error.evidence)["found"]


def test_after_a_kill_the_file_is_examined_before_it_is_used(path: Path) -> None:
    with process(WRITER, path) as writer:
        assert writer.stdout is not None
        for _ in range(50):
            writer.stdout.readline()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()[0]
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    path.with_name("journal.db-wal").write_bytes(b"left over")
    assert refused(path).code == "journal_corrupt"


# -- somebody else's ---------------------------------------------------------------------------


def test_a_foreign_database_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    assert refused(path).code == "journal_foreign"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]


def test_a_journal_of_a_newer_version_is_left_alone(path: Path) -> None:
    fill(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    error = refused(path)
    assert error.code == "journal_newer"
    assert dict(error.evidence)["its schema"] == "9999"
    assert "Upgrade" in error.hint


def test_an_empty_file_becomes_a_journal(path: Path) -> None:
    path.touch()

    async def scenario(journal: SqliteJournal) -> None:
        assert await journal.load() == Memory()

    use(path, scenario)
