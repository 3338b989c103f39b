"""An instance leaves its place under load, again and again: how soon the balancer leaves it out.

Used by the rows about deaths and about hands.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bench.controller import Controller
from bench.rotation import Rotation
from bluegreen.load import LoadProcess, Plan, Result
from bluegreen.testing.waiting import until

BETWEEN = 300
"""Requests between two trials, about a second's: more than a slow one takes."""

READ_ONLY = ("keepalive", "oneshot", "slow")

Leave = Callable[[str], Awaitable[float]]
"""Makes the instance of that name leave; returns when its runtime said so (monotonic seconds)."""

Return = Callable[[str], Awaitable[None]]
"""Brings it back where nobody else does."""


async def stays(_name: str) -> None:
    """Leave it to the controller to bring it back."""


async def trials(
    controller: Controller, leave: Leave, count: int, back: Return = stays
) -> tuple[list[Result], list[float]]:
    times = []
    async with _users(controller) as load:
        for trial in range(count):
            await until(lambda: _serving(controller), timeout=60.0)
            await _answered(load, BETWEEN)
            name = f"shop-web-r1-{trial % 2 + 1}"
            seen = asyncio.Event()
            watching = asyncio.ensure_future(_left_out(controller, name, seen))
            await seen.wait()
            left = await leave(name)
            times.append((await watching - left) * 1e3)
            await back(name)
        await until(lambda: _serving(controller), timeout=60.0)
        return [await load.stop()], times


@asynccontextmanager
async def _users(controller: Controller) -> AsyncIterator[LoadProcess]:
    plan = Plan(
        url=controller.url,
        duration=600.0,
        slow_path="/slow?seconds=0.5",
        rate=300.0,
        keepalive=8,
        oneshot=4,
        post=4,
        slow=3,
    )
    async with await LoadProcess.start(plan) as load:
        yield load


async def _answered(load: LoadProcess, more: int) -> None:
    """Wait until so many more requests were answered."""
    wanted = (await load.progress()).requests + more

    async def answered() -> bool:
        return (await load.progress()).requests >= wanted

    await until(answered, timeout=60.0)


async def _serving(controller: Controller) -> bool:
    """Return whether both instances have been in rotation, with a check passed, for now."""
    found = await controller.get("/v1/instances?service=web")
    return len(found) == 2 and all(one["rotation"] == "in" for one in found)


async def _left_out(controller: Controller, name: str, seen: asyncio.Event) -> float:
    """Return when HAProxy stops to give requests to ``name``: it is gone, or not ready, or down.

    Sets ``seen`` once it was seen to be given requests.
    """
    rotation = Rotation(controller.home)
    while True:
        names = await rotation.names()
        at = now()
        if names is not None and name in names:
            seen.set()
        elif names is not None and seen.is_set():
            return at
        await asyncio.sleep(0.002)


def now() -> float:
    return time.monotonic()
