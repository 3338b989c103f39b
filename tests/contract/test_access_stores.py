"""Tokens and deeds: the fake and the journal's file keep one contract."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from bluegreen.testing.access_contract import AccessContract, Stage
from bluegreen.testing.fake_access import FakeAccess
from tests.support.stores import in_a_file, in_memory


class TestFakeAccess(AccessContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return in_memory(FakeAccess())


class TestSqliteAccess(AccessContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return in_a_file()
