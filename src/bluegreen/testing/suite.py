"""What the contract suites have in common: a stage of the driver's own, and scenarios played on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Generic, TypeVar

S = TypeVar("S")


class Suite(Generic[S]):
    """Derived from by the suites; a driver's test module implements :meth:`stage`."""

    deadline: ClassVar[float] = 60.0
    """Seconds that one scenario may take, the setting of its stage included."""

    def stage(self) -> AbstractAsyncContextManager[S]:
        """Return a stage of the scenario's own. Everything on it is gone when its context ends."""
        raise NotImplementedError

    def run(self, scenario: Callable[[S], Awaitable[None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(self.deadline), self.stage() as stage:
                await scenario(stage)

        asyncio.run(main())
