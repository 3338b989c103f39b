"""Hooks: the fake and the journal's file keep one contract."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from bluegreen.drivers.journal.sqlite import Options, open_journal
from bluegreen.ports.hooks import KEPT, HookStore
from bluegreen.testing.fake_hooks import FakeHooks
from bluegreen.testing.hooks_contract import NOW, HooksContract, Stage, a_delivery


class FakeStage:
    def __init__(self) -> None:
        self._store = FakeHooks()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[HookStore]:
        yield self._store


class SqliteStage:
    def __init__(self, path: Path) -> None:
        self._options = Options(path=path)

    def open(self) -> AbstractAsyncContextManager[HookStore]:
        return open_journal(self._options)


@asynccontextmanager
async def _fake() -> AsyncIterator[Stage]:
    yield FakeStage()


@asynccontextmanager
async def _sqlite() -> AsyncIterator[Stage]:
    with tempfile.TemporaryDirectory() as folder:
        yield SqliteStage(Path(folder) / "journal.sqlite")


class TestFakeHooks(HooksContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return _fake()


class TestSqliteHooks(HooksContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return _sqlite()


def test_the_file_forgets_what_is_too_old_to_be_accepted_anyway(tmp_path: Path) -> None:
    async def main() -> None:
        async with SqliteStage(tmp_path / "journal.sqlite").open() as store:
            await store.remember(a_delivery())
            await store.remember(replace(a_delivery(id="msg_2"), taken_at=NOW + KEPT + 1))
            assert await store.remember(a_delivery()) is None

    asyncio.run(main())
