"""Comparing two proxies in front of the same fast backend, in alternating rounds.

Used by :mod:`bench.rows.throughput`. Both proxies run pinned to the first core; the backend (NGINX, a
constant answer) and the client (wrk) share the second. Requests per second of single rounds vary by
tens of percent on small virtual machines; the CPU time that the proxy itself spends per request, read
from the kernel's accounting, hardly does, and is what decides.
"""

from __future__ import annotations

import re
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from bench.stage import cpu_seconds, need

PROXY_CPU = "0"
LOAD_CPU = "1"
_REQUESTS = re.compile(r"(\d+) requests in ([\d.]+)(s|ms|m)")
_FAULTS = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: ([^\n]*)")


@dataclass(frozen=True, slots=True)
class Round:
    """One run of wrk: requests per second, and the proxy's CPU time per request (microseconds)."""

    rate: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running proxy: where it listens and which process does its work."""

    port: int
    pid: int


def one_round(proxy: Proxy, seconds: int, connections: int = 32) -> Round:
    """Load one proxy; raise when any answer was not a right one."""
    argv = [need("taskset"), "-c", LOAD_CPU, need("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s"]
    before = cpu_seconds(proxy.pid)
    url = f"http://127.0.0.1:{proxy.port}/"
    done = subprocess.run([*argv, url], capture_output=True, text=True, timeout=seconds + 30, check=True)
    spent = cpu_seconds(proxy.pid) - before
    found = _REQUESTS.search(done.stdout)
    if found is None or found[3] != "s" or _FAULTS.search(done.stdout):
        raise RuntimeError(f"wrk: {done.stdout}")
    requests = int(found[1])
    return Round(requests / float(found[2]), spent / requests * 1e6)


def alternate(proxies: Sequence[Proxy], rounds: int, seconds: int) -> list[list[Round]]:
    """Return the rounds of each proxy; who goes first changes from round to round."""
    seen: list[list[Round]] = [[] for _ in proxies]
    for proxy in proxies:
        one_round(proxy, 1)
    for number in range(rounds):
        order = range(len(proxies)) if number % 2 == 0 else reversed(range(len(proxies)))
        for index in order:
            seen[index].append(one_round(proxies[index], seconds))
    return seen


def differs(ours: Sequence[float], peer: Sequence[float]) -> bool:
    """Return whether two samples differ by more than chance (two-sided rank-sum test, about 1 in 100).

    Normal approximation of the Wilcoxon-Mann-Whitney statistic; no assumption about the distribution.
    """
    wins: float = sum((a > b) + (a == b) / 2 for a in ours for b in peer)
    count = len(ours) * len(peer)
    deviation = (count * (len(ours) + len(peer) + 1) / 12) ** 0.5
    score: float = abs(wins - count / 2) / deviation
    return score > statistics.NormalDist().inv_cdf(0.995)
