"""How long the command line takes to start, against the bare interpreter."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.row import NotMeasured, Row, spread

_ROUNDS = 25
_BAR = 8.0


def measure() -> Row:
    program = Path(sys.executable).with_name("bluegreen")
    if not program.exists() or _run([str(program), "--help"]) is None:
        raise NotMeasured("`bluegreen --help` does not run yet")
    ours, peer = [], []
    for _ in range(_ROUNDS):
        ours.append(timed([str(program), "--help"]))
        peer.append(timed([sys.executable, "-c", "pass"]))
    ratio = statistics.median(ours) / statistics.median(peer)
    return Row(
        name="`bluegreen --help` against `python -c pass`",
        ours=spread(ours, "ms"),
        peer=spread(peer, "ms"),
        ratio=ratio,
        bar=f"≤ {_BAR:g} ×",
        ok=ratio <= _BAR,
        how=f"{_ROUNDS} alternating rounds, medians; the first run (byte code, caches) is not counted",
    )


def timed(argv: Sequence[str]) -> float:
    """Return how long a successful run of a command takes, in milliseconds."""
    took = _run(argv)
    if took is None:
        raise RuntimeError(f"{argv[0]} failed during the measurement")
    return took


def _run(argv: Sequence[str]) -> float | None:
    start = time.perf_counter()
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    return (time.perf_counter() - start) * 1e3 if done.returncode == 0 else None
