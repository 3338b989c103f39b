"""Switching traffic back and forth under mixed load, whatever does the switching.

Used by the rows about switches, for bluegreen and its peers alike, so that all are measured the same.
"""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bluegreen.load import Edge, LoadProcess, Plan, Result
from bluegreen.testing.waiting import until

VERSIONS = ("1", "2")
_SETTLE = 250


@dataclass(frozen=True, slots=True)
class Switching:
    """What a number of switches looked like to users; times in milliseconds."""

    result: Result

    @property
    def commands(self) -> list[float]:
        return [s.command_ms for s in self.result.switches if s.command_ms is not None]

    @property
    def first_new(self) -> list[float]:
        return [s.first_new_ms for s in self.result.switches if s.first_new_ms is not None]

    @property
    def mixed(self) -> list[float]:
        return [s.mixed_ms for s in self.result.switches]

    @property
    def stale(self) -> int:
        return sum(s.stale for s in self.result.switches)

    def describe(self) -> str:
        """Return the counts that decide whether a way of switching is lossless and atomic."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.result.failures_by_class.items()))
        lost = f"{self.result.failed} of {self.result.requests:,} requests failed" + (
            f" ({kinds})" if kinds else ""
        )
        mixed = f"versions mixed for {statistics.median(self.mixed):.1f} ms (at most {max(self.mixed):.1f})"
        return f"{lost}; {mixed}; {self.stale} requests on the old version after an answer of the new one"


async def switch_under_load(
    url: str,
    switch: Callable[[str], Awaitable[None]],
    *,
    trials: int,
    versions: Sequence[str] = VERSIONS,
    rate: float = 500,
) -> Switching:
    """Switch ``trials`` times between ``versions`` (the first is live) and report what users saw.

    Between two switches at least 250 requests must have been answered and the last one by the new
    version; a switch that never arrives raises ``TimeoutError``.
    """
    plan = Plan(url=url, rate=rate, duration=trials * 10.0 + 30.0)
    async with await LoadProcess.start(plan) as load:
        await _settled(load, versions[0])
        for index in range(1, trials + 1):
            target = versions[index % 2]
            await load.mark(f"switch {index}")
            await switch(target)
            await load.mark(f"switch {index}", Edge.END)
            await _settled(load, target)
        return Switching(await load.stop())


async def _settled(load: LoadProcess, version: str) -> None:
    at_start = (await load.progress()).requests

    async def settled() -> bool:
        now = await load.progress()
        return now.latest == version and now.requests >= at_start + _SETTLE

    await until(settled, timeout=20.0)
