"""Both clocks wait in the same way; only who moves the time differs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bluegreen.drivers.clock import SystemClock
from bluegreen.ports.clock import Clock
from bluegreen.testing.fake_clock import START, FakeClock
from bluegreen.testing.waiting import until


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(main())


@pytest.mark.parametrize("clock", [SystemClock(), FakeClock()])
def test_an_event_ends_the_wait(clock: Clock) -> None:
    async def scenario() -> None:
        event = asyncio.Event()
        for timeout in (None, 1000.0):
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(clock.wait(event, timeout))
                await asyncio.sleep(0)
                event.set()
            assert waiting.result() is True
            assert await clock.wait(event, timeout) is True
            event.clear()

    run(scenario)


@pytest.mark.parametrize("clock", [SystemClock(), FakeClock()])
@pytest.mark.parametrize("timeout", [0.0, -5.0])
def test_a_deadline_in_the_past_looks_once_and_gives_way(clock: Clock, timeout: float) -> None:
    async def scenario() -> None:
        event = asyncio.Event()
        asyncio.get_running_loop().call_soon(event.set)
        assert await clock.wait(event, timeout) is True
        event.clear()
        assert await clock.wait(event, timeout) is False

    run(scenario)


@pytest.mark.parametrize("clock", [SystemClock(), FakeClock()])
def test_cancelling_ends_the_wait(clock: Clock) -> None:
    async def scenario() -> None:
        task = asyncio.create_task(clock.wait(asyncio.Event(), 1000.0))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(scenario)


def test_the_system_clock_goes_by_itself() -> None:
    async def scenario() -> None:
        clock = SystemClock()
        before = clock.now()
        assert await clock.wait(asyncio.Event(), 0.02) is False
        assert clock.now() > before > 1_700_000_000

    run(scenario)


def test_the_fake_clock_stands_still_until_it_is_moved() -> None:
    async def scenario() -> None:
        clock = FakeClock()
        async with asyncio.TaskGroup() as group:
            early = group.create_task(clock.wait(asyncio.Event(), 5.0))
            late = group.create_task(clock.wait(asyncio.Event(), 10.0))
            await until(lambda: clock.next_deadline == START + 5)
            clock.advance(4.9)
            await asyncio.sleep(0)
            assert not early.done()
            clock.advance(0.1)
            assert await early is False
            assert not late.done()
            assert (clock.now(), clock.next_deadline) == (START + 5, START + 10)
            clock.advance(100)
            assert await late is False
        assert clock.next_deadline is None

    run(scenario)


def test_the_fake_clock_never_runs_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        FakeClock().advance(-1)
