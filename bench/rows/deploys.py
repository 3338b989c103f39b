"""A hundred deploys under mixed load, the old color killed the moment each one returns."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from bench.controller import Controller
from bench.row import Row, spread
from bench.stacks import IMAGE, managed
from bluegreen.load import Edge, LoadProcess, Plan, Result

_TURNS = 100


def measure() -> Row:
    result, took = asyncio.run(_deploys())
    stale = sum(switch.stale for switch in result.switches)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(result.failures_by_class.items()))
    return Row(
        name=f"failed requests over {_TURNS} deploys, the old color killed (SIGKILL) as `deploy` returns",
        ours=f"{result.failed} of {result.requests:,}" + (f" ({kinds})" if kinds else ""),
        peer="",
        ratio=None,
        bar="0",
        ok=result.failed == 0 and stale == 0,
        how="managed service on the process runtime, its color alternates; mixed load of 300 requests/s "
        "(keep-alive, one-shot, POST, slow ones of 0.3 s)",
        note=f"Bounds the true rate at {3 / result.requests:.0e} (3/n). {stale} requests on the old version "
        f"after an answer of the new one. A deploy takes {spread(took, 's')}: start of the process, "
        f"proof, switch, end of the requests in flight; answers to fast users "
        f"took {result.latency.p50_ms:.1f} ms (median), at most {result.latency.max_ms:.0f} ms.",
    )


async def _deploys() -> tuple[Result, list[float]]:
    took = []
    async with Controller.standing() as controller:
        await controller.up(managed(controller.port))
        plan = Plan(
            url=controller.url,
            duration=_TURNS * 10.0,
            slow_path="/slow?seconds=0.3",
            rate=300.0,
            keepalive=8,
            oneshot=4,
            post=4,
            slow=3,
        )
        async with await LoadProcess.start(plan) as load:
            for turn in range(1, _TURNS + 1):
                before = controller.pids()
                begin = time.monotonic()
                await load.mark(f"deploy {turn}", at=begin)
                began = await controller.post("/v1/services/web/deploy", {"image": f"{IMAGE}:0.0.{turn + 1}"})
                await controller.settled(began["rollout"]["id"])
                os.kill(before[f"shop-web-r{turn}-1"], signal.SIGKILL)
                took.append(time.monotonic() - begin)
                await load.mark(f"deploy {turn}", Edge.END)
            return await load.stop(), took
