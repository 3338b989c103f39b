"""The SQLite journal keeps the contract, on a real file."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from bluegreen.drivers.journal.sqlite import Options, open_journal
from bluegreen.ports.journal import Journal
from bluegreen.testing.journal_contract import JournalContract, Stage


class SqliteStage:
    def __init__(self, path: Path) -> None:
        self._options = Options(path=path)

    def open(self) -> AbstractAsyncContextManager[Journal]:
        return open_journal(self._options)


@asynccontextmanager
async def _stage() -> AsyncIterator[Stage]:
    with tempfile.TemporaryDirectory() as folder:
        yield SqliteStage(Path(folder) / "journal.db")


class TestSqliteJournal(JournalContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return _stage()
