"""Tokens and deeds: the fake and the journal's file keep one contract."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from bluegreen.drivers.journal.sqlite import Options, open_journal
from bluegreen.ports.access import AccessStore
from bluegreen.testing.access_contract import AccessContract, Stage
from bluegreen.testing.fake_access import FakeAccess


class FakeStage:
    def __init__(self) -> None:
        self._store = FakeAccess()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AccessStore]:
        yield self._store


class SqliteStage:
    def __init__(self, path: Path) -> None:
        self._options = Options(path=path)

    def open(self) -> AbstractAsyncContextManager[AccessStore]:
        return open_journal(self._options)


@asynccontextmanager
async def _fake() -> AsyncIterator[Stage]:
    yield FakeStage()


@asynccontextmanager
async def _sqlite() -> AsyncIterator[Stage]:
    with tempfile.TemporaryDirectory() as folder:
        yield SqliteStage(Path(folder) / "journal.sqlite")


class TestFakeAccess(AccessContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return _fake()


class TestSqliteAccess(AccessContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return _sqlite()
