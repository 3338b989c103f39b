"""The machine's clock. The composition root hands it to whatever needs the time."""

from __future__ import annotations

import asyncio
import time

from bluegreen.ports.clock import Clock


class SystemClock:
    """``now`` follows the machine's wall clock; ``wait`` measures on a clock that never jumps."""

    def now(self) -> float:
        return time.time()

    async def wait(self, event: asyncio.Event, timeout: float | None) -> bool:
        if event.is_set() or (timeout is not None and timeout <= 0):
            # A caller that loops over elapsed deadlines must not starve everybody else.
            await asyncio.sleep(0)
            return event.is_set()
        try:
            async with asyncio.timeout(timeout):
                await event.wait()
        except TimeoutError:
            return event.is_set()
        return True


_: type[Clock] = SystemClock
