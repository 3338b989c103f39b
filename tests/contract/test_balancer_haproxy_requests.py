"""Requests are told of as users saw them, whoever reads or does not; a reader holds nobody up."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from bluegreen.domain.routing import Globals
from bluegreen.drivers.balancers.haproxy import HaproxyBalancer
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


def told(reader: Reader, status: int, count: int) -> Callable[[], object]:
    return lambda: reader.count(status) >= count


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


def test_a_new_controller_reads_on_and_nothing_is_reloaded(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, BLUE)
        port = next(iter(routing.listeners))
        before = await main_worker(stage)
        async with reading(stage, port):
            pass
        for _ in range(20):  # nobody reads: users do not notice
            assert await stage.status(port) == 200
        await stage.reopen()
        await stage.balancer.apply(routing)
        async with reading(stage, port) as reader:
            assert await stage.status(port, "/fail") == 503
            await until(told(reader, 503, 1))
        assert await main_worker(stage) == before

    play(scenario)


def test_a_reload_is_followed_and_users_own_log_is_left_alone(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        routing = await live(stage, BLUE)
        port = next(iter(routing.listeners))
        async with reading(stage, port) as reader:
            former = await main_worker(stage)
            listener = replace(routing.listeners[port], options=("httplog",))
            other = replace(routing, listeners={port: listener}, settings=Globals(log_target="127.0.0.1:514"))
            await stage.balancer.apply(other)
            assert await main_worker(stage) != former

            async def seen_again() -> bool:
                await stage.status(port, "/fail")
                return reader.count(503) > 0

            await until(seen_again)
            await until(lambda: former not in {p.pid for p in stage.processes()})

    play(scenario)


def test_a_reader_does_not_keep_a_haproxy_alive_that_somebody_ends(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        port = next(iter((await live(stage, BLUE)).listeners))
        async with reading(stage, port):
            worker = await main_worker(stage)
            os.kill(worker, signal.SIGUSR1)
            await until(lambda: worker not in {p.pid for p in stage.processes()})

    play(scenario)


def test_a_reader_that_hangs_holds_nobody_up(play: Play) -> None:
    async def scenario(stage: HaproxyStage) -> None:
        port = next(iter((await live(stage, BLUE)).listeners))
        reader = await stage.api().open("show events requests -w -n")
        with reader:
            for _ in range(5):
                assert set(await asyncio.gather(*(stage.status(port) for _ in range(20)))) == {200}

    play(scenario)
