"""A load run inside the current event loop: starts the users, paces them, collects what they saw.

Used by the load process (:mod:`bluegreen.load.__main__`) and by tests that need the samples. Rules:
the rate is a fixed timetable, and what a user missed while it waited is skipped and counted, never
caught up in a burst; stopping sends nothing new and awaits what is in flight, because cutting it
would hide failures; every socket is closed on every way out.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from bluegreen.load.analysis import summarize
from bluegreen.load.plan import LoadError, Plan, resolve
from bluegreen.load.result import Edge, Failure, Kind, Mark, Outcome, Progress, Result, Sample
from bluegreen.load.user import User

_SHARES = {Kind.KEEPALIVE: 5, Kind.ONESHOT: 3, Kind.POST: 2}
_SLOW_PAUSE = 0.1


class LoadSession:
    """One run: :meth:`start`, any number of :meth:`mark` and :meth:`progress`, then :meth:`stop`."""

    def __init__(self, plan: Plan) -> None:
        plan.check()
        self.plan = plan
        self.samples: list[Sample] = []
        self._target = resolve(plan)
        self._marks: list[Mark] = []
        self._failures: list[Failure] = []
        self._users: list[User] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._sleepers: set[asyncio.Future[None]] = set()
        self._stopping = False
        self._skipped = 0
        self._sent = 0
        self._began = 0.0
        self._ended = 0.0
        self._versions: Counter[str] = Counter()
        self._latest: Sample | None = None
        self._alarm: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Start all users, spread over their interval. The run stops by itself after its duration."""
        if self._tasks:
            raise LoadError("a load session runs once")
        loop = asyncio.get_running_loop()
        self._began = time.monotonic()
        for kind, count in self._counts().items():
            interval = self._interval(kind, count)
            for index in range(count):
                keep = kind in (Kind.KEEPALIVE, Kind.SLOW) or (kind is Kind.POST and index % 2 == 0)
                user = User(kind, f"{kind}-{index}", self.plan, self._target, keep=keep)
                self._users.append(user)
                first = loop.time() + self._spread(kind, interval) * index / count
                self._tasks.append(asyncio.create_task(self._drive(user, kind, first, interval)))
        self._alarm = loop.call_later(self.plan.duration, self.finish)

    def mark(self, name: str, edge: Edge = Edge.BEGIN, at: float | None = None) -> None:
        """Note that something begins or ends now, or at ``at`` (monotonic seconds)."""
        self._marks.append(Mark(name, edge, time.monotonic() if at is None else at))

    def progress(self) -> Progress:
        """Return the counts so far."""
        requests = len(self.samples)
        latest = self._latest.version if self._latest else ""
        return Progress(requests, requests - self._versions.total(), dict(self._versions), latest)

    def finish(self) -> None:
        """Send nothing new; requests in flight go on."""
        if self._stopping:
            return
        self._stopping = True
        self._ended = time.monotonic()
        if self._alarm is not None:
            self._alarm.cancel()
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)

    async def wait(self) -> Result:
        """Wait until the run has ended by itself or by :meth:`finish`; return its result.

        A user that crashes (a fault of the load client, not of the server) raises here.
        """
        try:
            await asyncio.gather(*self._tasks)
        finally:
            await self.abort()
        return summarize(
            self.samples,
            self._marks,
            began=self._began,
            ended=self._ended or time.monotonic(),
            idle_closed=sum(user.idle_closed for user in self._users),
            skipped=self._skipped,
            failures=self._failures,
        )

    async def stop(self) -> Result:
        """Stop sending, await what is in flight (each request has its own deadline), return the result."""
        self.finish()
        return await self.wait()

    async def abort(self) -> None:
        """End at once: cancel everything and close every socket."""
        self.finish()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for user in self._users:
            user.close()

    def _counts(self) -> dict[Kind, int]:
        plan = self.plan
        counts = {
            Kind.KEEPALIVE: plan.keepalive,
            Kind.ONESHOT: plan.oneshot,
            Kind.POST: plan.post,
            Kind.SLOW: plan.slow,
        }
        return {kind: count for kind, count in counts.items() if count}

    def _interval(self, kind: Kind, count: int) -> float:
        """Return the seconds between two requests of one user."""
        if kind is Kind.SLOW:
            return _SLOW_PAUSE
        shares = sum(share for other, share in _SHARES.items() if other in self._counts())
        return count * shares / (self.plan.rate * _SHARES[kind])

    def _spread(self, kind: Kind, interval: float) -> float:
        """Return over how many seconds the users' first requests are spread."""
        return min(1.5, self.plan.duration / 4) if kind is Kind.SLOW else interval

    async def _drive(self, user: User, kind: Kind, due: float, interval: float) -> None:
        try:
            while await self._until(due) and self._sent < self.plan.max_requests:
                self._sent += 1
                sample, detail = await user.request()
                self._note(sample, detail)
                due += interval
                late = time.monotonic() - due
                if late > 0:
                    missed = int(late / interval) + 1
                    due += missed * interval
                    self._skipped += 0 if kind is Kind.SLOW else missed
        finally:
            user.close()

    async def _until(self, due: float) -> bool:
        """Sleep until ``due``; return whether the run still goes on."""
        if self._stopping:
            return False
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        alarm = loop.call_at(due, lambda: None if sleeper.done() else sleeper.set_result(None))
        self._sleepers.add(sleeper)
        try:
            await sleeper
        finally:
            alarm.cancel()
            self._sleepers.discard(sleeper)
        return not self._stopping

    def _note(self, sample: Sample, detail: str) -> None:
        self.samples.append(sample)
        if sample.outcome is Outcome.OK:
            self._versions[sample.version] += 1
            if self._latest is None or sample.start > self._latest.start:
                self._latest = sample
        elif len(self._failures) < self.plan.evidence:
            at = round((sample.start - self._began) * 1e3, 3)
            took = round((sample.end - sample.start) * 1e3, 3)
            self._failures.append(Failure(sample.kind, sample.outcome, at, sample.version, detail, took))
