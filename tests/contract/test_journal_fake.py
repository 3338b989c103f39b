"""The fake journal keeps the contract of the real ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from bluegreen.ports.journal import Journal
from bluegreen.testing.fake_journal import FakeJournal
from bluegreen.testing.journal_contract import JournalContract, Stage


class FakeStage:
    def __init__(self) -> None:
        self._journal = FakeJournal()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Journal]:
        yield self._journal


@asynccontextmanager
async def _stage() -> AsyncIterator[Stage]:
    yield FakeStage()


class TestFakeJournal(JournalContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return _stage()
