"""A switch at the API against HAProxy's own ``set map``: how long until users get the new version."""

from __future__ import annotations

import asyncio
import statistics
from contextlib import ExitStack

from bench.breakdown import breakdown
from bench.controller import Controller
from bench.peers import Peer, set_map
from bench.row import Row, percentile, spread
from bench.stacks import two_colors
from bench.switching import Switching, switch_under_load
from bluegreen.load import Plan

_ROUNDS = 5
_TRIALS = 24
_BAR = 10.0
_P99_BAR = 20.0
_SERVICES = {"0.0.1": "webx-green", "0.0.2": "webx-blue"}


def measure() -> Row:
    with ExitStack() as stage:
        ours, peer = asyncio.run(_alternate(stage.enter_context(set_map())))
    ratio = statistics.median(ours.first_new) / statistics.median(peer.first_new)
    p99 = percentile(ours.first_new, 99)
    clean = ours.stale == 0 and ours.failed == 0
    return Row(
        name="`switch` at the API: command to first answer of the new version",
        ours=spread(ours.first_new, "ms"),
        peer=f"{spread(peer.first_new, 'ms')} (bare `set map`)",
        ratio=ratio,
        bar=f"≤ {_BAR:g} ×, p99 ≤ {_P99_BAR:g} ms, no mixed window",
        ok=ratio <= _BAR and p99 <= _P99_BAR and clean,
        how=f"{len(ours.first_new)} switches each in alternating rounds of {_TRIALS}, mixed load of 500 "
        "requests/s (keep-alive, one-shot, POST, slow); ours by POST to the controller's unix socket on an "
        "open connection, the peer's by one command on HAProxy's. The time includes the wait for the next "
        "request and its answer",
        note=f"p99 {p99:.1f} ms (bare `set map`: {percentile(peer.first_new, 99):.1f} ms). "
        f"Ours: {ours.describe()}. Bare: {peer.describe()}. {asyncio.run(breakdown())}",
    )


async def _alternate(peer: Peer) -> tuple[Switching, Switching]:
    ours, bare = Switching(()), Switching(())
    async with Controller.standing() as controller:
        await controller.up(two_colors(controller.port))

        for _ in range(_ROUNDS):
            ours += await switch_ours(controller, _TRIALS)
            bare += await switch_under_load(Plan(url=peer.url), peer.switch, trials=_TRIALS)
    return ours, bare


async def switch_ours(controller: Controller, trials: int) -> Switching:
    """Switch ``trials`` times by commands to the API; the route ``lbx`` ends where it began."""
    begun: list[str] = []

    async def switch(version: str) -> None:
        begun.append(await controller.switch("lbx", _SERVICES[version]))

    async def ready() -> None:
        for rollout in begun[-1:]:
            await controller.settled(rollout)

    found = await switch_under_load(
        Plan(url=controller.url), switch, trials=trials, versions=tuple(_SERVICES), ready=ready
    )
    await ready()
    return found
