"""``bluegreen switch`` as a person types it, from the start of the program to its end."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.controller import Controller
from bench.row import Row, spread
from bench.rows.help import timed
from bench.stacks import two_colors

_ROUNDS = 20
_BAR = 15.0


def measure() -> Row:
    ours, peer = asyncio.run(_rounds())
    ratio = statistics.median(ours) / statistics.median(peer)
    return Row(
        name="`bluegreen switch` end to end against `python -c pass`",
        ours=spread(ours, "ms"),
        peer=spread(peer, "ms"),
        ratio=ratio,
        bar=f"≤ {_BAR:g} ×",
        ok=ratio <= _BAR,
        how=f"{_ROUNDS} alternating rounds, medians; the command ends when all traffic is on the new color "
        "and no request is left on the old one",
    )


async def _rounds() -> tuple[list[float], list[float]]:
    program = str(Path(sys.executable).with_name("bluegreen"))
    ours, peer = [], []
    async with Controller.standing() as controller:
        await controller.up(two_colors(controller.port))
        for index in range(_ROUNDS + 1):
            target = ("webx-blue", "webx-green")[index % 2]
            begin = time.perf_counter()
            await asyncio.to_thread(
                subprocess.run,
                [program, "switch", "lbx", target],
                env=controller.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=60,
                check=True,
            )
            ours.append((time.perf_counter() - begin) * 1e3)
            peer.append(await asyncio.to_thread(timed, [sys.executable, "-c", "pass"]))
    return ours[1:], peer[1:]
