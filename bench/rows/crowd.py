"""1,000 services with 4 instances each: what a switch of one of them costs, and what idling does."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
from tests.support.ports import free_port

from bench import crowd
from bench.controller import Controller
from bench.row import Row, percentile, spread
from bench.stacks import CHECK, sample
from bench.stage import cpu_seconds, running
from bench.switching import Switching, switch_under_load
from bluegreen.domain.naming import Color
from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.routing import Listener
from bluegreen.domain.stack import BalancerSpec, RouteSpec, StackSpec
from bluegreen.load import Plan

_PAIRS = 500
_REPLICAS = 4
_ROUNDS = 3
_TRIALS = 12
_IDLE = 30.0
_BAR = 2.0
_IDLE_BAR = 1.0
_MEMORY_BAR = 200.0
_RARE = replace(CHECK, interval=20.0)
"""4,000 real checks every 2 s would measure the two servers that answer them."""

_POLICY = RolloutPolicy(start_deadline=300.0, bake=1.0, drain=10.0)


def measure() -> Row:
    many, one, cpu, memory = asyncio.run(_measure())
    ratio = statistics.median(many.first_new) / statistics.median(one.first_new)
    return Row(
        name=f"{2 * _PAIRS:,} services × {_REPLICAS} instances: `switch` of one against a controller with "
        "one; idle controller",
        ours=f"{spread(many.first_new, 'ms')}; idle {cpu:.2f} % of a core, {memory:.0f} MB",
        peer=spread(one.first_new, "ms"),
        ratio=ratio,
        bar=f"≤ {_BAR:g} ×; ≤ {_IDLE_BAR:g} %, ≤ {_MEMORY_BAR:g} MB",
        ok=ratio <= _BAR and cpu <= _IDLE_BAR and memory <= _MEMORY_BAR and many.failed == 0,
        how=f"{len(many.first_new)} switches each in alternating rounds under mixed load of 300 requests/s; "
        "real controller, journal and HAProxy on a runtime that only pretends to start instances: each has a "
        f"loopback address of its own where a real server answers. Idle: CPU time of {_IDLE:g} s, resident "
        "memory at the end",
        note=f"p99 {percentile(many.first_new, 99):.1f} ms. Many: {many.describe()}. One: {one.describe()}.",
    )


async def _measure() -> tuple[Switching, Switching, float, float]:
    async with AsyncExitStack() as stage:
        servers = {color: stage.enter_context(_server(str(color))) for color in Color}
        folder = Path(stage.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        crowd.install(folder)
        path = os.pathsep.join(p for p in (str(folder), os.getcwd(), os.environ.get("PYTHONPATH")) if p)
        many, one = [
            await stage.enter_async_context(Controller.standing("crowd", ("bench.crowd",), PYTHONPATH=path))
            for _ in range(2)
        ]
        await one.up(_stack(one.port, 1, servers), timeout=60.0)
        begin = time.monotonic()
        await many.up(_stack(many.port, _PAIRS, servers), timeout=600.0)
        print(f"  {2 * _PAIRS} services are up after {time.monotonic() - begin:.0f} s", file=sys.stderr)
        cpu, memory = await _idle(many)
        seen_many, seen_one = Switching(()), Switching(())
        for _ in range(_ROUNDS):
            seen_many += await _switches(many)
            seen_one += await _switches(one)
        return seen_many, seen_one, cpu, memory


@contextmanager
def _server(version: str) -> Iterator[int]:
    """Run a sample application at every loopback address; yield its port."""
    port = free_port()
    argv = [sys.executable, "-m", "bluegreen.sample.app", "--version", version, "--host", "0.0.0.0"]
    with running([*argv, "--port", str(port)], port):
        yield port


def _stack(port: int, pairs: int, servers: dict[Color, int]) -> StackSpec:
    """Return ``pairs`` of services, each a route of its own host between its two colors."""
    names = [f"s{number}" for number in range(pairs)]
    services = tuple(
        sample(
            f"{name}-{color}",
            "0.0.1",
            environment={crowd.PORT: str(servers[color])},
            replicas=_REPLICAS,
            check=_RARE,
            rollout=_POLICY,
        )
        for name in names
        for color in Color
    )
    routes = tuple(
        RouteSpec(
            name=name,
            balancer="lbx",
            port=port,
            host=f"{name}.test",
            target=f"{name}-blue",
            candidates=(f"{name}-blue", f"{name}-green"),
        )
        for name in names
    )
    balancer = BalancerSpec(name="lbx", listeners=(Listener(port=port, address="127.0.0.1"),), check=_RARE)
    return StackSpec(name="crowd", services=services, balancers=(balancer,), routes=routes)


async def _idle(controller: Controller) -> tuple[float, float]:
    """Return the share of a core (percent) and the memory (MB) of a controller with nothing to do."""
    await asyncio.sleep(3.0)  # the end of the last bake
    before = cpu_seconds(controller.pid)
    await asyncio.sleep(_IDLE)
    used = cpu_seconds(controller.pid) - before
    return used / _IDLE * 100, psutil.Process(controller.pid).memory_info().rss / 1e6


async def _switches(controller: Controller) -> Switching:
    begun: list[str] = []

    async def switch(version: str) -> None:
        begun.append(await controller.switch("s0", f"s0-{version}"))

    async def ready() -> None:
        for rollout in begun[-1:]:
            await controller.settled(rollout)

    plan = Plan(url=controller.url, host="s0.test", rate=300.0, keepalive=8, oneshot=4, post=4, slow=2)
    found = await switch_under_load(
        plan, switch, trials=_TRIALS, versions=("blue", "green"), settle=100, ready=ready
    )
    await ready()
    return found
