"""A container is stopped, killed, paused or cut off by somebody's hand: how soon it gets no request more."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from bench import docker, leaving
from bench.controller import Controller
from bench.row import Row, spread
from bench.stacks import managed
from bluegreen.load import Result

_TRIALS = 6
_BAR = 100.0
_NETWORK = "bluegreen_shop"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hand:
    """What is asked of the Engine, and its event from which on the time counts."""

    words: str
    path: str
    event: str
    back: str = ""


_HANDS = (
    _Hand(words="kill", path="/containers/{name}/kill?signal=KILL", event="die"),
    _Hand(words="stop", path="/containers/{name}/stop?t=5", event="kill"),
    _Hand(
        words="pause",
        path="/containers/{name}/pause",
        event="pause",
        back="/containers/{name}/unpause",
    ),
    _Hand(words="network disconnect", path=f"/networks/{_NETWORK}/disconnect", event="disconnect"),
)


def measure() -> Row:
    found = asyncio.run(_all())
    worst = max(max(times) for _, times in found.values())
    return Row(
        name="one of two containers is killed, stopped, paused or cut off by hand: time until it is out of "
        "the pool",
        ours=", ".join(f"{words} {spread(times, 'ms')}" for words, (_, times) in found.items()),
        peer="",
        ratio=None,
        bar=f"≤ {_BAR:g} ms",
        ok=worst <= _BAR,
        how=f"{_TRIALS} times each under mixed load of 300 requests/s, slow GETs of 0.5 s in flight; from "
        "the Engine's event (for a stop: that it sent the signal) until HAProxy's own table no longer gives "
        "it new requests, asked about every 2 ms (below 0: the controller heard of it first)",
        note="Failed: "
        + "; ".join(f"{words} {_failed(result)}" for words, (result, _) in found.items())
        + ".",
    )


def _failed(result: Result) -> str:
    lost = sum(result.classes[kind].failed for kind in leaving.READ_ONLY)
    asked = sum(result.classes[kind].requests for kind in leaving.READ_ONLY)
    posts = result.classes["post"]
    return f"{lost} of {asked:,} idempotent, {posts.failed} of {posts.requests:,} POSTs"


async def _all() -> dict[str, tuple[Result, list[float]]]:
    with docker.engine() as engine:
        async with (
            docker.EngineApi.connected(engine) as api,
            docker.EngineApi.connected(engine) as listening,
            Controller.standing("docker", BLUEGREEN_DOCKER_URL=engine.url) as controller,
        ):
            await controller.up(managed(controller.port, replicas=2))
            return {hand.words: await _measured(controller, api, listening, hand) for hand in _HANDS}


async def _measured(
    controller: Controller, api: docker.EngineApi, listening: docker.EngineApi, hand: _Hand
) -> tuple[Result, list[float]]:
    async def leave(name: str) -> float:
        id = (await api.call("GET", f"/containers/{name}/json"))["Id"]
        body = {"Container": name} if hand.event == "disconnect" else None
        return await docker.told(api, listening, hand.event, {name, id}, hand.path.format(name=name), body)

    async def back(name: str) -> None:
        if hand.back:
            await api.call("POST", hand.back.format(name=name))

    (result,), times = await leaving.trials(controller, leave, _TRIALS, back)
    return result, times
