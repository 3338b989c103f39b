"""What NGINX costs as the balancer: its reload against HAProxy's map, by our drivers, in the same run."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import psutil
from tests.support.ports import free_port

from bench.keeping import Kept, far_from, keeping
from bench.row import Row, spread
from bench.stage import application, need
from bench.switching import VERSIONS, Switching, switch_under_load
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import Listener, Pool, Route, Routing, Server
from bluegreen.drivers.balancers import haproxy, nginx
from bluegreen.drivers.balancers.nginx import processes
from bluegreen.load import Plan
from bluegreen.ports.balancer import Balancer

_ROUNDS, _TRIALS, _CHANGES = 3, 8, 20
_DELAY = 0.02
_WEB = RouteId("bench.web")
_PORTS = tuple[int, int]


def measure() -> Row:
    need("nginx")
    with application(VERSIONS[0]) as one, application(VERSIONS[1]) as two:
        return asyncio.run(_measure((one, two)))


async def _measure(instances: _PORTS) -> Row:
    fast, reloads = Switching(()), Switching(())
    kept: dict[str, Kept] = {}
    async with AsyncExitStack() as stage:
        bare = await stage.enter_async_context(_haproxy(instances))
        closing = await stage.enter_async_context(_nginx(instances, 0))
        keeps = await stage.enter_async_context(_nginx(instances, 60))
        for _ in range(_ROUNDS):
            fast += await bare.switch(_TRIALS)
            reloads += await closing.switch(_TRIALS)
        for name, one in (("HAProxy", bare), ("NGINX, 0 s (default)", closing), ("NGINX, 60 s", keeps)):
            kept[name] = await one.meet_keepers()
        memory = await closing.memory()
    return Row(
        name="our NGINX driver (reload) against our HAProxy driver (map): switch to first new answer",
        ours=spread(reloads.first_new, "ms"),
        peer=spread(fast.first_new, "ms"),
        ratio=statistics.median(reloads.first_new) / statistics.median(fast.first_new),
        bar="none: the price of NGINX",
        ok=None,
        how=f"{_ROUNDS * _TRIALS} switches each in alternating rounds of {_TRIALS} under mixed load of 500 "
        f"requests/s; then {_CHANGES} switches under 40 clients that keep their connections and are "
        f"{_DELAY * 1000:g} ms away, about 280 requests/s",
        note=f"NGINX's whole command: {spread(reloads.commands, 'ms')}. NGINX: {reloads.describe()}. "
        f"HAProxy: {fast.describe()}. Clients that keep connections: "
        + "; ".join(f"{name}: {found.describe()}" for name, found in kept.items())
        + f". {memory}",
    )


class _Ours:
    """A balancer of ours with two pools of one instance each."""

    def __init__(self, balancer: Balancer, folder: Path, instances: _PORTS) -> None:
        self._balancer = balancer
        self._folder = folder
        self._port = port = free_port()
        names = {version: PoolId(f"bench.web.{version}") for version in VERSIONS}
        self._pools = names
        self._routing = Routing(
            listeners={port: Listener(port=port, address="127.0.0.1")},
            routes={_WEB: Route(id=_WEB, port=port, weights={names[VERSIONS[0]]: 100})},
            pools={
                names[version]: Pool(
                    id=names[version], servers=(Server(name="s", host="127.0.0.1", port=instance),)
                )
                for version, instance in zip(VERSIONS, instances, strict=True)
            },
        )

    async def open(self) -> None:
        await self._balancer.apply(self._routing)

    async def give(self, version: str) -> None:
        await self._balancer.apply(self._routing.with_weights(_WEB, {self._pools[version]: 100}))

    async def switch(self, trials: int) -> Switching:
        return await switch_under_load(Plan(url=f"http://127.0.0.1:{self._port}"), self.give, trials=trials)

    async def meet_keepers(self) -> Kept:
        async with far_from(self._port, _DELAY) as port, keeping(port) as found:
            for number in range(_CHANGES):
                await asyncio.sleep(0.4)
                await self.give(VERSIONS[(number + 1) % 2])
        return found

    async def memory(self) -> str:
        """Return what NGINX takes, with and without a worker that has yet to finish."""
        alone = processes.of_folder(self._folder)
        quiet = _megabytes(alone.all)
        _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"GET /slow?seconds=3 HTTP/1.1\r\nHost: bench\r\n\r\n")
        await asyncio.sleep(0.2)
        for version in (VERSIONS[1], VERSIONS[0]):
            await self.give(version)
        former = processes.of_folder(self._folder).former
        more = _megabytes(former)
        writer.close()
        return (
            f"Private memory of NGINX with {len(alone.serving)} workers: {quiet:.1f} MB; workers of former "
            f"configurations that one request holds: {len(former)}, {more:.1f} MB"
        )


@asynccontextmanager
async def _haproxy(instances: _PORTS) -> AsyncIterator[_Ours]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        async with (
            haproxy.open_balancer(haproxy.Options(state_dir=Path(name))) as balancer,
            _standing(_Ours(balancer, Path(name), instances), balancer) as ours,
        ):
            yield ours


@asynccontextmanager
async def _nginx(instances: _PORTS, keepalive: float) -> AsyncIterator[_Ours]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        options = nginx.Options(state_dir=Path(name), keepalive=keepalive)
        async with (
            nginx.open_balancer(options) as balancer,
            _standing(_Ours(balancer, Path(name), instances), balancer) as ours,
        ):
            yield ours


@asynccontextmanager
async def _standing(ours: _Ours, balancer: Balancer) -> AsyncIterator[_Ours]:
    try:
        await ours.open()
        yield ours
    finally:
        await balancer.stop()


def _megabytes(pids: frozenset[int]) -> float:
    found = 0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            found += psutil.Process(pid).memory_full_info().uss
    return found / 1e6
