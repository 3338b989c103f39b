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
_WHERE = (
    "Traced: the Engine takes about 0.29 s to start a container on either side; before it, ours takes 17 to "
    "80 ms (`/info`, image, network, journal), and from the first success to the end about 25 ms. The rest "
    "is that the application answers 160 to 220 ms after its start with us, within 150 ms by hand; why is "
    "not settled (the controller, and the Engine that it asks for the container's state, work on the same "
    "two cores meanwhile). Tried: the same load on both sides, and either side first: no difference."
)
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
        "left on the old color; probes every 50 ms and 50 requests/s on both sides",
        note=f"{result.failed} of {result.requests:,} requests failed. "
        "Retiring the old container is not timed. " + _WHERE,
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
        async with await _users(controller.url) as load, await _users(expert.url):
            for trial in range(_TRIALS):
                tag = docker.TAGS[(trial + 1) % 2]
                if trial % 2:  # whoever comes second meets the Engine clearing up after the first
                    ours.append(await _deploy(controller, tag))
                hand.append(await _by_hand(expert, tag))
                if trial % 2 == 0:
                    ours.append(await _deploy(controller, tag))
            return ours, hand, await load.stop()


async def _users(url: str) -> LoadProcess:
    """Start the same load on either side, without requests so slow that waiting for them is the result."""
    return await LoadProcess.start(Plan(url=url, duration=600.0, rate=50.0, slow=0))


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
