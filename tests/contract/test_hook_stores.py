"""Hooks: the fake and the journal's file keep one contract."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from bluegreen.ports.hooks import KEPT
from bluegreen.testing.fake_hooks import FakeHooks
from bluegreen.testing.hooks_contract import NOW, HooksContract, Stage, a_delivery
from tests.support.stores import in_a_file, in_memory


class TestFakeHooks(HooksContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return in_memory(FakeHooks())


class TestSqliteHooks(HooksContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return in_a_file()


def test_the_file_forgets_what_is_too_old_to_be_accepted_anyway() -> None:
    async def main() -> None:
        async with in_a_file() as stage, stage.open() as store:
            await store.remember(a_delivery())
            await store.remember(replace(a_delivery(id="msg_2"), taken_at=NOW + KEPT + 1))
            assert await store.remember(a_delivery()) is None

    asyncio.run(main())
