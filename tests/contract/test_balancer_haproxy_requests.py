"""Requests are told of as users saw them, whoever reads or does not; a reader holds nobody up."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from bluegreen.domain.routing import Globals, Routing
from bluegreen.drivers.balancers.haproxy import HaproxyBalancer
from bluegreen.drivers.balancers.haproxy.request_log import QUESTION
from bluegreen.drivers.balancers.haproxy.stats import workers_of
from bluegreen.ports.requests import Seen
from bluegreen.testing.background import running
from bluegreen.testing.balancer_stage import BLUE, live
from tests.support.haproxy_stage import HaproxyStage
from tests.support.haproxy_ways import Play
from tests.support.waiting import until


class Reader:
    def __init__(self, balancer: HaproxyBalancer) -> None:
        self._balancer = balancer
        self.seen: Counter[Seen] = Counter()
        self.strange = 0

    async def read(self) -> None:
        async for batch in self._balancer.requests():
            self.seen.update(batch.seen)
            self.strange += batch.strange

    def count(self, status: int) -> int:
        return sum(n for one, n in self.seen.items() if one.status == status)


@asynccontextmanager
async def reading(stage: HaproxyStage, port: int) -> AsyncIterator[Reader]:
    """Read the requests that are made from now on: one that comes through says that it has begun."""
    reader = Reader(stage.balancer)

    async def begun() -> bool:
        await stage.status(port)
        return reader.count(200) > 0

    async with running(reader.read()):
        await until(begun)
        reader.seen.clear()
        yield reader


async def main_worker(stage: HaproxyStage) -> int:
    found = workers_of(await stage.api().ask("show proc", master=True))
    assert found is not None
    return found.current


def test_each_request_is_told_with_its_color_its_status_and_its_wait(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        port = next(iter((await live(stage, BLUE)).listeners))
        async with reading(stage, port) as reader:
            assert await stage.status(port, "/fail") == 503
            assert await stage.status(port, "/slow") == 200
            await until(lambda: reader.count(503) == 1 and any(s.milliseconds >= 300 for s in reader.seen))
            assert {one.pool for one in reader.seen} == {BLUE}
            assert all(one.milliseconds < 10_000 for one in reader.seen)
            assert reader.strange == 0

    play(scenario)


def test_a_reader_that_hangs_or_dies_holds_nobody_up_and_the_next_one_reads_on(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, BLUE)
        port = next(iter(routing.listeners))
        before = await main_worker(stage)
        async with reading(stage, port):
            pass
        with await stage.api().open(QUESTION):  # it takes nothing of what it is told
            for _ in range(5):
                assert set(await asyncio.gather(*(stage.status(port) for _ in range(20)))) == {200}
        await stage.reopen()
        await stage.balancer.apply(routing)
        async with reading(stage, port) as reader:
            assert await stage.status(port, "/fail") == 503
            await until(lambda: reader.count(503) == 1)
        assert await main_worker(stage) == before

    play(scenario)


def test_a_reader_goes_on_with_the_new_worker_and_keeps_none_alive_that_is_to_end(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, BLUE)
        port = next(iter(routing.listeners))
        async with reading(stage, port) as reader:
            former = await main_worker(stage)
            await stage.balancer.apply(with_a_log_of_its_own(routing))
            current = await main_worker(stage)
            assert current != former

            async def seen_again() -> bool:
                await stage.status(port, "/fail")
                return reader.count(503) > 0

            await until(seen_again)
            os.kill(current, signal.SIGUSR1)  # by somebody else: the driver is not told
            await until(lambda: not {former, current} & {p.pid for p in stage.processes()})

    play(scenario)


def with_a_log_of_its_own(routing: Routing) -> Routing:
    """Return ``routing`` as of a user who logs elsewhere, in a format of his."""
    listeners = {port: replace(one, options=("httplog",)) for port, one in routing.listeners.items()}
    return replace(routing, listeners=listeners, settings=Globals(log_target="127.0.0.1:514"))
