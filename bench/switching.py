"""Switching traffic back and forth under mixed load, whatever does the switching.

Used by the rows about switches, for bluegreen and its peers alike, so that all are measured the same.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from bluegreen.load import Edge, LoadProcess, Plan, Result
from bluegreen.load.result import Switch
from bluegreen.testing.waiting import until

VERSIONS = ("1", "2")


@dataclass(frozen=True, slots=True)
class Switching:
    """What a number of switches looked like to users, in one run or several; times in milliseconds."""

    results: tuple[Result, ...]

    def __add__(self, other: Switching) -> Switching:
        return Switching(self.results + other.results)

    @property
    def switches(self) -> list[Switch]:
        return [switch for result in self.results for switch in result.switches]

    @property
    def commands(self) -> list[float]:
        return [s.command_ms for s in self.switches if s.command_ms is not None]

    @property
    def first_new(self) -> list[float]:
        return [s.first_new_ms for s in self.switches if s.first_new_ms is not None]

    @property
    def mixed(self) -> list[float]:
        return [s.mixed_ms for s in self.switches]

    @property
    def stale(self) -> int:
        return sum(s.stale for s in self.switches)

    @property
    def requests(self) -> int:
        return sum(result.requests for result in self.results)

    @property
    def failed(self) -> int:
        return sum(result.failed for result in self.results)

    def describe(self) -> str:
        """Return the counts that decide whether a way of switching is lossless and atomic."""
        causes: Counter[str] = Counter()
        for result in self.results:
            causes.update(result.failures_by_class)
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(causes.items()))
        lost = f"{self.failed} of {self.requests:,} requests failed" + (f" ({kinds})" if kinds else "")
        mixed = f"versions mixed for {statistics.median(self.mixed):.1f} ms (at most {max(self.mixed):.1f})"
        return f"{lost}; {mixed}; {self.stale} requests on the old version after an answer of the new one"


async def switch_under_load(
    plan: Plan,
    switch: Callable[[str], Awaitable[None]],
    *,
    trials: int,
    versions: Sequence[str] = VERSIONS,
    settle: int = 250,
    ready: Callable[[], Awaitable[object]] | None = None,
) -> Switching:
    """Switch ``trials`` times between ``versions`` (the first is live) and report what users saw.

    Between two switches at least ``settle`` requests must have been answered and the last one by the
    new version, and ``ready`` have returned (the last requests on the old version may have to end); a
    switch that never arrives raises ``AssertionError``. The clock of a switch runs from the
    moment at which ``switch`` is called, without the message to the load process.
    """
    async with await LoadProcess.start(replace(plan, duration=trials * 10.0 + 30.0)) as load:
        await _settled(load, versions[0], settle)
        for index in range(1, trials + 1):
            target = versions[index % 2]
            if ready is not None:
                await ready()
            begin = time.monotonic()
            await switch(target)
            end = time.monotonic()
            await load.mark(f"switch {index}", at=begin)
            await load.mark(f"switch {index}", Edge.END, at=end)
            await _settled(load, target, settle)
        return Switching((await load.stop(),))


async def _settled(load: LoadProcess, version: str, requests: int) -> None:
    at_start = (await load.progress()).requests

    async def settled() -> bool:
        now = await load.progress()
        return now.latest == version and now.requests >= at_start + requests

    await until(settled, timeout=20.0)
