"""The fake registry keeps the contract of the real ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from bluegreen.ports.registry import Registry
from bluegreen.testing.fake_registry import FakeHouse, FakeRegistry
from bluegreen.testing.registry_contract import RegistryContract
from tests.support.last_good_contract import LastGoodContract


class FakeStage:
    def __init__(self) -> None:
        self.house = FakeHouse()

    def client(self) -> AbstractAsyncContextManager[Registry]:
        return FakeRegistry(self.house)

    async def freeze(self) -> None:
        self.house.silent = True

    async def thaw(self) -> None:
        self.house.silent = False
        self.house.changed()

    async def kill(self) -> None:
        self.house.silent = True

    async def revive(self, *, empty: bool = False) -> None:
        self.house.silent = False
        if empty:
            self.house.forget()
        self.house.changed(lost=True)

    async def spoil(self, stack: str, instance: str) -> None:
        self.house.malformed.setdefault(stack, []).append(f"{instance}: not an announcement")

    async def lose(self, stack: str, key: str) -> None:
        del self.house.documents[stack][key]
        self.house.changed()


@asynccontextmanager
async def _stage() -> AsyncIterator[FakeStage]:
    yield FakeStage()


class TestFakeRegistry(RegistryContract):
    def stage(self) -> AbstractAsyncContextManager[FakeStage]:
        return _stage()


class TestLastGoodOnTheFake(LastGoodContract):
    def stage(self) -> AbstractAsyncContextManager[FakeStage]:
        return _stage()
