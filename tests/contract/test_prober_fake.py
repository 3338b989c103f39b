"""The fake prober keeps the contract of the real one."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from bluegreen.ports.prober import Prober
from bluegreen.testing.fake_prober import FakeProber
from bluegreen.testing.prober_contract import Address, ProberContract, Stage


class FakeStage:
    def __init__(self) -> None:
        self._fake = FakeProber()
        self.prober: Prober = self._fake
        self._ports = itertools.count(20000)

    async def serving(self, *statuses: int, body: str = "", tls: bool = False) -> Address:
        address = await self.absent()
        self._fake.serve(*address, *statuses, body=body, tls=tls)
        return address

    async def deaf(self) -> Address:
        address = await self.absent()
        self._fake.deafen(*address)
        return address

    async def silent(self) -> Address:
        address = await self.absent()
        self._fake.silence(*address)
        return address

    async def absent(self) -> Address:
        return "127.0.0.1", next(self._ports)

    @asynccontextmanager
    async def blinded(self) -> AsyncIterator[None]:
        self._fake.blind()
        yield
        self._fake.see()


@asynccontextmanager
async def _stage() -> AsyncIterator[Stage]:
    yield FakeStage()


class TestFakeProber(ProberContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return _stage()
