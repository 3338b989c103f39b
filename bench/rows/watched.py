"""200 people have the service's page open: what a switch costs then, against one that nobody watches."""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter

import psutil
from tests.support.ports import free_port

from bench.controller import Controller
from bench.row import Row, percentile, spread
from bench.rows.switch import switch_ours
from bench.stacks import two_colors
from bench.switching import Switching
from bench.watchers import watching

_WATCHERS = 200
_ROUNDS = 3
_TRIALS = 12
_BAR = 1.3


def measure() -> Row:
    watched, alone, did, grown = asyncio.run(_alternate())
    ratio = statistics.median(watched.first_new) / statistics.median(alone.first_new)
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(did.items()))
    return Row(
        name=f"`switch` with {_WATCHERS} dashboards open against none",
        ours=spread(watched.first_new, "ms"),
        peer=spread(alone.first_new, "ms"),
        ratio=ratio,
        bar=f"≤ {_BAR:g} ×",
        ok=ratio <= _BAR and watched.failed == alone.failed == 0,
        how=f"{len(watched.first_new)} switches each in alternating rounds of {_TRIALS} on one controller, "
        f"mixed load of 500 requests/s; {_WATCHERS} clients in one process of low priority do what the page "
        "of the service does in a browser: hold the stream, fetch what changed when told to, "
        "and the counters of the chart",
        note=f"p99 {percentile(watched.first_new, 99):.1f} ms (alone: {percentile(alone.first_new, 99):.1f} "
        f"ms). Watched: {watched.describe()}. Alone: {alone.describe()}. They took {kinds}; the controller's "
        f"memory grew by {grown:.0f} MB.",
    )


async def _alternate() -> tuple[Switching, Switching, Counter[str], float]:
    watched, alone, did = Switching(()), Switching(()), Counter[str]()
    address = f"127.0.0.1:{free_port()}"
    async with Controller.standing(BLUEGREEN_LISTEN=address) as controller:
        stack = two_colors(controller.port)
        await controller.up(stack)
        token = (await controller.post("/v1/tokens", {"name": "watchers", "role": "viewer"}))["text"]
        page = f"/services/{stack.name}/webx-blue"
        alone += await switch_ours(controller, _TRIALS)  # the first round warms up, for both
        alone = Switching(())
        before = psutil.Process(controller.pid).memory_info().rss
        for _ in range(_ROUNDS):
            alone += await switch_ours(controller, _TRIALS)
            async with watching(f"http://{address}", page, _WATCHERS, token) as seen:
                watched += await switch_ours(controller, _TRIALS)
            did += seen
        grown = (psutil.Process(controller.pid).memory_info().rss - before) / 1e6
        return watched, alone, did, grown
