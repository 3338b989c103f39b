"""A switch and a departure through each registry, to a real HAProxy elsewhere: alone, and in a crowd."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.consul_program import a_consul
from tests.support.ports import free_port
from tests.support.zookeeper_program import a_zookeeper

from bench.row import Row, spread
from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import Listener, Pool, Route, Routing, Server
from bluegreen.drivers.balancers.haproxy import HaproxyBalancer, Options, open_balancer
from bluegreen.drivers.clock import SystemClock
from bluegreen.drivers.keepsake import FileKeepsake
from bluegreen.engine.announcer import Announcer
from bluegreen.engine.boxes import Boxes
from bluegreen.engine.follower import Follower
from bluegreen.opening import opened_registry
from bluegreen.testing.background import running
from bluegreen.testing.waiting import until

_TRIALS = 30
_CROWD = 1000
_BLUE, _GREEN, _WEB = PoolId("shop.web.blue"), PoolId("shop.web.green"), RouteId("shop.web")
_QUIET = HealthCheck(kind=CheckKind.NONE)


@dataclass(slots=True)
class _Times:
    """Milliseconds from the controller's call until the other box's HAProxy has done it."""

    switch: list[float] = field(default_factory=list)
    leave: list[float] = field(default_factory=list)


def measure() -> Row:
    found = asyncio.run(_all())
    few, many = found["consul", 1], found["consul", _CROWD]
    return Row(
        name="`bluegreen balancer` elsewhere: from the call until its HAProxy has switched; until an "
        "instance that left is out of its pool",
        ours="; ".join(f"{name}, {n:,} announced: {_words(times)}" for (name, n), times in found.items()),
        peer="",
        ratio=statistics.median(many.switch) / statistics.median(few.switch),
        bar="",
        ok=None,
        how=f"{_TRIALS} of each; controller's side and box in one process, the registry and HAProxy real "
        "programs on the same machine; until the box has reported that it is true, which is when a rollout "
        "goes on. The ratio is Consul with a thousand services announced to Consul with one",
    )


def _words(times: _Times) -> str:
    return f"switch {spread(times.switch, 'ms')}, leave {spread(times.leave, 'ms')}"


async def _all() -> dict[tuple[str, int], _Times]:
    found = {}
    for name, server in (("consul", _consul), ("zookeeper", _zookeeper)):
        for announced in (1, _CROWD):
            async with server() as url:
                found[name, announced] = await _measured(url, announced)
    return found


@asynccontextmanager
async def _consul() -> AsyncIterator[str]:
    with a_consul() as consul:
        await consul.until_ready()
        yield f"consul://{consul.address}"


@asynccontextmanager
async def _zookeeper() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory() as folder, a_zookeeper(Path(folder) / "zk") as server:
        yield f"zookeeper://{server.hosts}"


async def _measured(url: str, announced: int) -> _Times:
    clock, times, whole = SystemClock(), _Times(), _routing(announced)
    with tempfile.TemporaryDirectory(prefix="bg-") as folder:
        home = Path(folder)
        async with (
            opened_registry(url) as here,
            opened_registry(url) as there,
            open_balancer(Options(state_dir=home / "haproxy")) as haproxy,
        ):
            announcer = Announcer(here, clock, "bench")
            boxes = Boxes(announcer, clock, None)
            follower = Follower(
                there, haproxy, FileKeepsake(home / "copy"), clock, box="bench", stacks=["shop"]
            )
            try:
                async with running(boxes.supervise()), running(follower.run()):
                    await boxes.apply(whole)
                    await until(lambda: _carried(announcer), 60)
                    await _switches(boxes, haproxy, whole, times)
                    await _departures(boxes, whole, times)
            finally:
                await haproxy.stop()
    return times


def _carried(announcer: Announcer) -> bool:
    reports = announcer.reports.get("shop", {}).values()
    return bool(reports) and all(r.revision >= announcer.revision("shop") for r in reports)


async def _switches(boxes: Boxes, haproxy: HaproxyBalancer, whole: Routing, times: _Times) -> None:
    for turn in range(_TRIALS):
        target = (_BLUE, _GREEN)[turn % 2]
        began = time.perf_counter()
        await boxes.apply(whole.with_weights(_WEB, {target: 100}))
        times.switch.append((time.perf_counter() - began) * 1000)
        facts = await haproxy.observe([target])
        assert dict(facts.weights[_WEB]) == {target: 100}, facts


async def _departures(boxes: Boxes, whole: Routing, times: _Times) -> None:
    servers = whole.pools[_GREEN].servers
    for _ in range(_TRIALS):
        began = time.perf_counter()
        await boxes.apply(whole.with_servers(_GREEN, servers[:1]))
        times.leave.append((time.perf_counter() - began) * 1000)
        await boxes.apply(whole)


def _routing(announced: int) -> Routing:
    port = free_port()
    pools = [_pool(_GREEN, 2), _pool(_BLUE, 2)]
    pools += [_pool(PoolId(f"shop.service{n}.blue"), 1) for n in range(announced - 1)]
    return Routing(
        listeners={port: Listener(port=port, address="127.0.0.1")},
        routes={_WEB: Route(id=_WEB, port=port, weights={_GREEN: 100})},
        pools={pool.id: pool for pool in pools},
    )


def _pool(name: PoolId, count: int) -> Pool:
    plain = name.replace(".", "-")
    servers = tuple(Server(name=f"{plain}-r1-{n}", host="127.0.0.1", port=9000 + n) for n in range(count))
    return Pool(id=name, servers=servers, check=_QUIET)
