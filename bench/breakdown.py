"""Where the time of a switch goes: the calls of a traced controller between the POST and ``set map``.

Used by :mod:`bench.rows.switch`. No load runs meanwhile: what is shown is the work, not the queueing.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from bench.controller import Controller
from bench.stacks import two_colors

_TRIALS = 30
Span = tuple[str, float, float]


async def breakdown() -> str:
    """Return one sentence with the median of each part in milliseconds."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        trace = Path(folder) / "trace"
        began: list[float] = []
        async with Controller.standing(program=("bench.traced", "serve"), BENCH_TRACE=str(trace)) as ours:
            await ours.up(two_colors(ours.port))
            for index in range(_TRIALS + 1):
                at = time.monotonic()
                rollout = await ours.switch("lbx", ("webx-blue", "webx-green")[index % 2])
                await ours.settled(rollout)
                began.append(at)
        spans: list[Span] = [tuple(json.loads(line)) for line in trace.read_text().splitlines()]
    parts: defaultdict[str, list[float]] = defaultdict(list)
    for at in began[1:]:  # the first one has no former switch to close
        for name, seconds in _parts(at, spans).items():
            parts[name].append(seconds * 1e3)
    shown = ", ".join(f"{name} {statistics.median(times):.1f}" for name, times in parts.items())
    return f"Parts of a switch without load (medians in ms; probe and observe overlap): {shown}."


def _parts(at: float, spans: list[Span]) -> dict[str, float]:
    """Return the time in each part of the switch that was sent at ``at``."""
    done = min(end for name, begin, end in spans if name == "set map" and begin > at)
    inside = [(name, begin, end) for name, begin, end in spans if at <= begin < done]
    found = {"all": done - at}
    accepted = min(begin for name, begin, _ in inside if name.startswith("POST"))
    first = min(begin for name, begin, _ in inside if name != "POST" and begin > accepted)
    found["client to API"] = accepted - at
    found["API"] = first - accepted
    for wanted in ("journal", "probe", "observe", "apply", "set map"):
        found[wanted] = sum(end - begin for name, begin, end in inside if name == wanted)
    return found
