"""Requests are counted by color, over all and over the last minute; what cannot be measured harms nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bluegreen.domain.errors import Temporary
from bluegreen.domain.naming import PoolId
from bluegreen.engine.meter import Meter
from bluegreen.ports.requests import Batch, Seen
from bluegreen.testing.background import running
from bluegreen.testing.virtual_time import VirtualClock, run

BLUE, GREEN, STRANGER = PoolId("shop.web.blue"), PoolId("shop.web.green"), PoolId("a.b.c")


class Script:
    """Tells batches; fails where there is an error instead of one."""

    def __init__(self, *told: Batch | Temporary) -> None:
        self._told = list(told)

    async def requests(self) -> AsyncIterator[Batch]:
        while self._told:
            one = self._told.pop(0)
            if isinstance(one, Temporary):
                raise one
            yield one
        await asyncio.Event().wait()


def batch(pool: PoolId, status: int, milliseconds: int, times: int) -> Batch:
    return Batch(seen={Seen(pool, status, milliseconds): times}, lost=2, strange=1)


def test_colors_are_told_apart_and_an_error_is_overcome() -> None:
    async def story() -> None:
        broken = Temporary("no answer", code="balancer_down")
        source = Script(batch(BLUE, 200, 20, 9), broken, batch(BLUE, 503, 700, 1), batch(STRANGER, 200, 1, 5))
        clock = VirtualClock()
        meter = Meter(source, clock, lambda: {BLUE, GREEN})
        async with running(meter.follow()):
            await clock.wait(asyncio.Event(), 5.0)
            found = meter.traffic(BLUE)
            assert found is not None
            assert found.errors == pytest.approx(0.1)
            assert 0.01 < found.p50 <= 0.025
            assert 0.5 < found.p95 <= 1.0
            assert meter.traffic(GREEN) is None
            assert set(meter.totals) == {BLUE}
            assert (meter.totals[BLUE].requests, meter.totals[BLUE].failed) == (10, 1)
            assert (meter.lost, meter.strange) == (6, 3)
            await clock.wait(asyncio.Event(), 70.0)
            assert meter.traffic(BLUE) is None  # nobody has asked for a minute
            assert meter.totals[BLUE].requests == 10

    run(story())


def test_a_balancer_that_tells_nothing_is_not_asked_again() -> None:
    async def story() -> None:
        meter = Meter(None, VirtualClock(), set)
        await meter.follow()
        assert meter.traffic(BLUE) is None

    run(story())
