"""What the engine knows of instances while the runtime takes its time to answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from bluegreen.domain.instance import Instance, InstanceState, RuntimeEvent, RuntimeEventKind
from bluegreen.drivers.clock import SystemClock
from bluegreen.engine.inventory import Inventory
from tests.support.waiting import until

STARTED = 100.0
WEB = Instance(
    name="shop-web-r1-1",
    stack="shop",
    service="web",
    release=1,
    index=1,
    color=None,
    config_hash="",
    state=InstanceState.RUNNING,
    started_at=STARTED,
)
KEY = ("shop", "web")


@dataclass
class BusyRuntime:
    """Answers the first look; the next one waits until ``free`` is set."""

    died_at: float
    free: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    name: str = "busy"

    async def list(self, stack: str | None = None, service: str | None = None) -> tuple[Instance, ...]:
        self.asked += 1
        if self.asked > 1:
            await self.free.wait()
        return (WEB,)

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        yield RuntimeEvent(kind=RuntimeEventKind.RESYNC)
        yield RuntimeEvent(
            kind=RuntimeEventKind.DIED, stack="shop", service="web", instance=WEB.name, at=self.died_at
        )
        await asyncio.Event().wait()


@pytest.mark.parametrize(("died_at", "runs"), [(STARTED + 1, False), (STARTED - 1, True)])
def test_a_death_counts_before_the_runtime_answers_unless_it_is_of_an_earlier_life(
    died_at: float, runs: bool
) -> None:
    async def main() -> None:
        runtime = BusyRuntime(died_at)
        told: list[tuple[str, str] | None] = []
        inventory = Inventory(runtime, SystemClock(), lambda key, event: told.append(key))  # type: ignore[arg-type]
        following = asyncio.ensure_future(inventory.follow())
        try:
            await until(lambda: runtime.asked == 2)
            (seen,) = inventory.instances(KEY)
            assert seen.running is runs
            assert told == ([None] if runs else [None, KEY])
            runtime.free.set()
            await until(lambda: told[-1] == KEY and inventory.instances(KEY)[0].running)
        finally:
            following.cancel()

    asyncio.run(main())
