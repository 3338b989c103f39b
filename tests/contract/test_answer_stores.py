"""Answers to requests with a key: the fake and the journal's file keep one contract."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from bluegreen.drivers.journal.sqlite import Options, open_journal
from bluegreen.ports.answers import AnswerStore
from bluegreen.testing.answers_contract import AnswersContract, Stage
from bluegreen.testing.fake_answers import FakeAnswers


class FakeStage:
    def __init__(self) -> None:
        self._store = FakeAnswers()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AnswerStore]:
        yield self._store


class SqliteStage:
    def __init__(self, path: Path) -> None:
        self._options = Options(path=path)

    def open(self) -> AbstractAsyncContextManager[AnswerStore]:
        return open_journal(self._options)


@asynccontextmanager
async def _fake() -> AsyncIterator[Stage]:
    yield FakeStage()


@asynccontextmanager
async def _sqlite() -> AsyncIterator[Stage]:
    with tempfile.TemporaryDirectory() as folder:
        yield SqliteStage(Path(folder) / "journal.sqlite")


class TestFakeAnswers(AnswersContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return _fake()


class TestSqliteAnswers(AnswersContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return _sqlite()
