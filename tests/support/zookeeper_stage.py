"""A registry in a real ZooKeeper, and what can befall it: the stage of the registries' contract."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from typing import Any, TypeVar

from kazoo.client import KazooClient

from bluegreen.drivers.registries.zookeeper import Options, open_registry
from bluegreen.drivers.registries.zookeeper.layout import Layout
from bluegreen.drivers.registries.zookeeper.registry import ZooKeeperRegistry
from tests.support.zookeeper_program import ZooKeeperProgram

T = TypeVar("T")
_NUMBERS = count(1)


class ZooKeeperStage:
    """Everything is below a ``prefix`` of the test's own. :meth:`by_hand` is what a person does there."""

    def __init__(self, program: ZooKeeperProgram, **options: Any) -> None:
        self.program = program
        self.prefix = f"/bluegreen/test-{next(_NUMBERS)}"
        words = {"session_timeout": 10.0, "deadline": 2.0, **options}
        self.options = Options(address=program.hosts, path=self.prefix, **words)

    def client(self) -> AbstractAsyncContextManager[ZooKeeperRegistry]:
        return open_registry(self.options)

    async def by_hand(self, act: Callable[[KazooClient], T]) -> T:
        """Return what ``act`` returns, done with a session of its own."""

        def work() -> T:
            client = KazooClient(self.program.hosts, timeout=10)
            client.start(30)
            try:
                return act(client)
            finally:
                client.stop()
                client.close()

        return await asyncio.to_thread(work)

    async def freeze(self) -> None:
        self.program.freeze()

    async def thaw(self) -> None:
        self.program.thaw()

    async def kill(self) -> None:
        self.program.kill()

    async def revive(self, *, empty: bool = False) -> None:
        if empty:
            self.program.forget()
        await asyncio.to_thread(self.program.start)

    async def spoil(self, stack: str, instance: str) -> None:
        path = f"{self.prefix}/{stack}/services/web/{instance}"
        await self.by_hand(lambda client: client.create(path, b"no announcement", makepath=True))

    async def lose(self, stack: str, key: str) -> None:
        path = Layout(self.prefix, stack).document(key)
        await self.by_hand(lambda client: client.delete(path))


@asynccontextmanager
async def staged(program: ZooKeeperProgram, **options: Any) -> AsyncIterator[ZooKeeperStage]:
    """Yield a stage on ``program``, which runs again at the end whatever befell it."""
    try:
        yield ZooKeeperStage(program, **options)
    finally:
        await asyncio.to_thread(program.start)
