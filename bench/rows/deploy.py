"""A deploy on Docker against the same steps done by hand through the Engine's API."""

from __future__ import annotations

import asyncio
import statistics
import time

from tests.support.docker_engine import DockerEngine

from bench import docker
from bench.byhand import ByHand, by_hand
from bench.controller import FINAL, Controller
from bench.row import Row, spread
from bench.stacks import IMAGE, managed
from bluegreen.domain.policy import RolloutPolicy
from bluegreen.load import LoadProcess, Plan, Result
from bluegreen.testing.waiting import until

_TRIALS = 12
_BAR = 1.2
_POLICY = RolloutPolicy(start_deadline=20.0, bake=0.0, drain=10.0)


def measure() -> Row:
    with docker.engine() as engine:
        ours, hand, result = asyncio.run(_alternate(engine))
    ratio = statistics.median(ours) / statistics.median(hand)
    return Row(
        name="`deploy` on Docker against create + start + first 200 + `set map` + drain by hand",
        ours=spread(ours, "s", 2),
        peer=spread(hand, "s", 2),
        ratio=ratio,
        bar=f"≤ {_BAR:g} ×",
        ok=ratio <= _BAR and result.failed == 0,
        how=f"{_TRIALS} alternating deploys of the same images on the same engine, each until no request is "
        "left on the old color; probes every 50 ms on both sides; 100 requests/s on ours",
        note=f"{result.failed} of {result.requests:,} requests failed. Retiring the old container is not "
        "timed. Both wait for the Engine's start (0.3 s of it) and for the application; our own part before "
        "the start is about 20 ms (`/info`, image, journal), between the first success and the end about "
        "25 ms. While the application starts, the controller and the Engine (asked for the state of the new "
        "container) take some of the same two cores.",
    )


async def _alternate(engine: DockerEngine) -> tuple[list[float], list[float], Result]:
    ours: list[float] = []
    hand: list[float] = []
    async with (
        docker.EngineApi.connected(engine) as api,
        by_hand(api) as expert,
        Controller.standing("docker", BLUEGREEN_DOCKER_URL=engine.url) as controller,
    ):
        await controller.up(managed(controller.port, rollout=_POLICY))
        await expert.deploy(docker.TAGS[0])
        plan = Plan(url=controller.url, duration=600.0, rate=100.0, slow_path="/slow?seconds=0.1", slow=1)
        async with await LoadProcess.start(plan) as load:
            for trial in range(_TRIALS):
                tag = docker.TAGS[(trial + 1) % 2]
                hand.append(await _by_hand(expert, tag))
                ours.append(await _deploy(controller, tag))
            return ours, hand, await load.stop()


async def _deploy(controller: Controller, tag: str) -> float:
    begin = time.monotonic()
    begun = await controller.post("/v1/services/web/deploy", {"image": f"{IMAGE}:{tag}"})
    rollout = begun["rollout"]["id"]
    await controller.settled(rollout)
    took = time.monotonic() - begin

    async def retired() -> bool:
        return (await controller.get(f"/v1/rollouts/{rollout}"))["phase"] in FINAL

    await until(retired, timeout=30.0)
    return took


async def _by_hand(expert: ByHand, tag: str) -> float:
    begin = time.monotonic()
    await expert.deploy(tag)
    took = time.monotonic() - begin
    await expert.retire()
    return took
