"""What our configuration of HAProxy costs per request, against a bare one."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
from tests.support.ports import free_port

from bench.peers import DEFAULTS
from bench.row import Row, spread
from bench.stage import await_true, haproxy, listens, nginx, nginx_config
from bench.throughput import LOAD_CPU, PROXY_CPU, Proxy, alternate, differs
from bluegreen.domain.naming import Color, pool_id, route_id
from bluegreen.domain.routing import Listener, Pool, Route, Routing, Server
from bluegreen.drivers.balancers.haproxy import Options, open_balancer

_ROUNDS = 10
_SECONDS = 2
_BAR = 0.95
_WHERE = (
    "Where the rest goes, measured by leaving parts out: about half is `retry-on empty-response`, for "
    "which HAProxy keeps a copy of each request (without it 0.92 to 0.96); it stays, as it is what makes "
    "the death of an instance invisible. The other half are X-Forwarded-For and -Proto, and the rules "
    "that look the color up. Tried: one rule instead of two for the protocol, fewer variables around the "
    "lookup: 0 to 2 % better, within the noise. Watching users' answers (`observe layer7`) and the servers "
    "for the last good cost nothing that can be measured: without them 0.68 to 0.72 where all is 0.72."
)


def measure() -> Row:
    with ExitStack() as stage:
        backend = stage.enter_context(constant_backend())
        ours, peer = stage.enter_context(ours_before(backend)), stage.enter_context(bare_before(backend))
        seen, bare = alternate([ours, peer], _ROUNDS, _SECONDS)
    cost, bare_cost = [r.cpu for r in seen], [r.cpu for r in bare]
    rates, bare_rates = [r.rate for r in seen], [r.rate for r in bare]
    ratio = statistics.median(bare_cost) / statistics.median(cost)
    slower = differs(rates, bare_rates) and statistics.median(rates) < statistics.median(bare_rates)
    return Row(
        name="throughput through the balancer against a bare HAProxy, by CPU time per request",
        ours=spread(cost, "µs"),
        peer=spread(bare_cost, "µs"),
        ratio=ratio,
        bar=f"≥ {_BAR:g} (bare / ours), and no difference in requests per second that the rounds can resolve",
        ok=ratio >= _BAR and not slower,
        how=f"{_ROUNDS} alternating rounds of {_SECONDS} s of wrk with 32 connections; proxy and load pinned "
        "to different cores; CPU time from the kernel's accounting of the proxy process",
        note=f"Requests per second: {spread(rates, '', 0)} against {spread(bare_rates, '', 0)}: "
        + ("slower by more than chance (rank-sum test, 1 %). " if slower else "not slower beyond chance. ")
        + _WHERE,
    )


@contextmanager
def constant_backend() -> Iterator[int]:
    """Run an NGINX that answers a constant; yield its port."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        port = free_port()
        body = f'server {{ listen 127.0.0.1:{port}; location / {{ return 200 "ok"; }} }}'
        with nginx(nginx_config(Path(name), body, workers=1), Path(name), port, cpus=LOAD_CPU):
            yield port


@contextmanager
def bare_before(backend: int) -> Iterator[Proxy]:
    """Run the least HAProxy that forwards to ``backend``: no checks, no headers, no map, no log."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        port = free_port()
        config = f"""{DEFAULTS}
frontend web
  bind 127.0.0.1:{port}
  default_backend web
backend web
  server s 127.0.0.1:{backend}
"""
        with haproxy(config, Path(name), port, cpus=PROXY_CPU) as process:
            yield Proxy(port, process.pid)


@contextmanager
def ours_before(backend: int) -> Iterator[Proxy]:
    """Run HAProxy as bluegreen's driver sets it up, with one route to a pool with ``backend``."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        port, options = free_port(), Options(state_dir=Path(name))
        pool, route = pool_id("shop", "web", Color.BLUE), route_id("shop", "web")
        routing = Routing(
            listeners={port: Listener(port=port, address="127.0.0.1")},
            routes={route: Route(id=route, port=port, weights={pool: 100})},
            pools={pool: Pool(id=pool, servers=(Server(name="s", host="127.0.0.1", port=backend),))},
        )
        own = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {int(PROXY_CPU)})  # inherited, as HAProxy counts its threads by it
        try:
            asyncio.run(_apply(options, routing))
        finally:
            os.sched_setaffinity(0, own)
        try:
            await_true(lambda: listens(port), "our HAProxy")
            yield Proxy(port, _worker(name))
        finally:
            asyncio.run(_stop(options))


async def _apply(options: Options, routing: Routing) -> None:
    async with open_balancer(options) as balancer:
        await balancer.apply(routing)


async def _stop(options: Options) -> None:
    async with open_balancer(options) as balancer:
        await balancer.stop()


def _worker(folder: str) -> int:
    """Return the process that serves requests: HAProxy's master is its parent."""
    ours = {p.pid: p for p in psutil.process_iter(["cmdline"]) if folder in " ".join(p.info["cmdline"] or ())}
    return next(pid for pid, process in ours.items() if process.ppid() in ours)
