"""Advances one rollout: observe → decide → record → act, until there is something to wait for.

What was decided is durable before anything is done (the journal is written before a step and before
a wait, in one transaction for everything decided on the same facts). Going on after a crash is the
same call on the same journal.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import replace
from typing import TypeVar

from bluegreen.domain import decide as decisions
from bluegreen.domain import reasons, secrecy
from bluegreen.domain.errors import BluegreenError, Bug, Permanent, Temporary, UserError
from bluegreen.domain.facts import Facts
from bluegreen.domain.invariants import no_way_back, violations
from bluegreen.domain.release import Release
from bluegreen.domain.rollout import (
    AFTER_TRAFFIC,
    BEFORE_TRAFFIC,
    TRANSITIONS,
    Happened,
    Phase,
    Reason,
    Rollout,
    apply,
)
from bluegreen.domain.steps import Cut, Prepare, Step, StopPool
from bluegreen.engine import narrate
from bluegreen.engine.draft import Draft
from bluegreen.engine.evidence import Evidence
from bluegreen.engine.ledger import Ledger
from bluegreen.engine.observe import Observer
from bluegreen.engine.perform import Performer
from bluegreen.ports.clock import Clock

T = TypeVar("T")

RETRY = 1.0
"""Seconds between attempts at a step that failed for now."""

HELD = 0.5
"""Seconds between looks while an invariant forbids the step that was decided."""


class Runner:
    def __init__(
        self,
        ledger: Ledger,
        observer: Observer,
        performer: Performer,
        evidence: Evidence,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._observer = observer
        self._performer = performer
        self._evidence = evidence
        self._clock = clock
        self._said: dict[str, str] = {}
        self._explained: set[str] = set()

    async def advance(self, draft: Draft, interrupt: asyncio.Event) -> float | None:
        """Advance until nothing can be done now; return the seconds until the next look.

        ``None`` means: only an event, or nothing (the rollout is final). ``interrupt`` cuts short a
        step that comes before traffic moved, so that an abort need not wait for a pull.
        """
        if draft.decided:
            await self._flush(draft)  # a person's request may have ended the rollout
        draft.done = None
        while not draft.rollout.final:
            if interrupt.is_set():
                return 0.0  # a request waits: it comes before the next step
            if draft.withdrawn and draft.rollout.phase in BEFORE_TRAFFIC:
                self.record(draft, Happened.CANCELLED, reasons.recorded_too_late())
            facts = await self._look(draft)
            decision = await self._decide(draft, facts)
            await self._flush(draft)
            if isinstance(decision, decisions.Wait):
                return decision.seconds
            if isinstance(decision, decisions.Do):
                pause = await self._do(draft, facts, decision.step, interrupt)
                if pause is not None:
                    return pause
        return None

    async def _look(self, draft: Draft) -> Facts:
        """Return fresh facts. A silent world is told of, and keeps nothing decided from being recorded."""
        try:
            return await self._observer.facts(draft.rollout)
        except Temporary as error:
            await self._flush(draft)
            await self._say(draft.rollout, "rollout.retry", f"{error.message}; trying again")
            raise

    async def _decide(self, draft: Draft, facts: Facts) -> decisions.Decision | None:
        """Record everything that follows from these facts; return the first Do or Wait."""
        while not draft.rollout.final:
            decision = decisions.decide(draft.rollout, facts)
            if not isinstance(decision, decisions.Record):
                return decision
            reason = decision.reason
            if decision.happened is Happened.REVERTED:
                await self._explain(draft, facts)
            elif reason is not None and draft.rollout.phase not in AFTER_TRAFFIC:
                reason = await self._evidence.enrich(reason, facts)
            self.record(draft, decision.happened, reason)
        self._explained.discard(draft.rollout.id)
        return None

    def against(self, rollout: Rollout, happened: Happened) -> str:
        """Return what speaks against a person's request now; empty when it may be recorded."""
        if (rollout.phase, happened) not in TRANSITIONS:
            return f"it is {rollout.phase} already"
        goes_back = happened in {Happened.ROLLED_BACK, Happened.CANCELLED}
        if not goes_back or rollout.phase in BEFORE_TRAFFIC or rollout.source is None:
            return ""
        source = self._observer.view(rollout.stack, rollout.source)
        return no_way_back(rollout, self._observer.target(rollout), source)

    def record(
        self,
        draft: Draft,
        happened: Happened,
        reason: Reason | None = None,
        release: Release | None = None,
    ) -> None:
        """Apply ``happened`` to the draft. Raises ``Bug`` when it is illegal now."""
        now = self._clock.now()
        reason = self._discreet(draft.rollout, reason)
        draft.rollout = apply(draft.rollout, happened, now, reason)
        draft.decided.append((draft.rollout, happened))
        draft.release = release or draft.release
        draft.events.append(narrate.happened(draft.rollout, happened, now))

    async def _flush(self, draft: Draft) -> None:
        if draft.events:
            await self._ledger.commit(lambda: draft.changes(self._ledger), draft.events)
            draft.written()

    async def _do(self, draft: Draft, facts: Facts, step: Step, interrupt: asyncio.Event) -> float | None:
        rollout = draft.rollout
        against = violations(rollout, facts, step)
        if against:
            await self._say(rollout, "rollout.held", f"held: {'; '.join(against)}")
            return HELD
        try:
            if isinstance(step, Prepare):
                await self._prepare(draft, interrupt)
            else:
                if rollout.phase is Phase.REVERTING and isinstance(step, StopPool):
                    await self._explain(draft, facts)
                await _interruptible(self._performer.perform(rollout, step), rollout, interrupt)
        except (UserError, Permanent) as error:
            return await self._refused(draft, facts, error)
        except BluegreenError as error:
            if isinstance(error, Bug):
                raise
            if isinstance(step, Prepare) and self._patience_ends(rollout):
                return await self._refused(draft, facts, error)
            await self._say(rollout, "rollout.retry", f"{error.message}; trying again")
            return RETRY
        return _rest(draft, step)

    def _patience_ends(self, rollout: Rollout) -> bool:
        """A pull may take long; being unable to begin one may last no longer than a start."""
        return rollout.clock(self._clock.now()) >= rollout.since + rollout.policy.start_deadline

    async def _explain(self, draft: Draft, facts: Facts) -> None:
        """Complete why a rollout goes back, once the traffic is back: users do not wait for log lines."""
        reason = draft.rollout.reason
        if reason is None or draft.rollout.id in self._explained:
            return
        self._explained.add(draft.rollout.id)
        with contextlib.suppress(Temporary):
            facts = await self._observer.look_again(draft.rollout)
        reason = self._discreet(draft.rollout, await self._evidence.enrich(reason, facts))
        draft.rollout = replace(draft.rollout, reason=reason)

    def _discreet(self, rollout: Rollout, reason: Reason | None) -> Reason | None:
        """Return ``reason`` without secrets: errors and log lines are what others have said."""
        own = secrecy.values((rollout.spec, rollout.former))
        known = own | self._ledger.secrets(rollout.stack, rollout.service)
        return None if reason is None else secrecy.struck_reason(reason, known)

    async def _prepare(self, draft: Draft, interrupt: asyncio.Event) -> None:
        rollout = draft.rollout
        release = await _interruptible(self._performer.prepare(rollout), rollout, interrupt)
        if release is None:
            return
        known = await self._ledger.release(rollout.stack, rollout.service, rollout.release)
        self.record(draft, Happened.PREPARED, release=None if known else release)
        await self._flush(draft)

    async def _refused(self, draft: Draft, facts: Facts, error: BluegreenError) -> float | None:
        """A step was refused for good: that ends a rollout which can still end, else it is held."""
        shifting = draft.rollout.phase is Phase.SHIFTING and draft.rollout.source is not None
        if draft.rollout.phase not in BEFORE_TRAFFIC and not shifting:
            # What refuses here is not the new release: going back would only take traffic from it.
            await self._say(draft.rollout, "rollout.held", f"{error.message}; trying again")
            return RETRY
        reason = await self._evidence.enrich(reasons.from_error(error), facts)
        self.record(draft, Happened.FAILED, reason)
        await self._flush(draft)
        return None

    async def _say(self, rollout: Rollout, kind: str, message: str) -> None:
        """Tell a trouble once, however often it is met in a row."""
        if self._said.get(rollout.id) == message:
            return
        self._said[rollout.id] = message
        await self._ledger.commit((), (narrate.trouble(rollout, kind, message, self._clock.now()),))


def _rest(draft: Draft, step: Step) -> float | None:
    """Return the seconds until the next look after ``step`` was done; ``None``: look at once."""
    again, draft.done = step == draft.done, step
    if isinstance(step, Cut):
        return decisions.LOOK_AGAIN
    return decisions.LOOK_SOON if again else None  # it is done, and does not show yet


async def _interruptible(
    call: Coroutine[object, object, T], rollout: Rollout, interrupt: asyncio.Event
) -> T | None:
    """Await ``call``; before traffic moved, end it early (``None``) when ``interrupt`` is set."""
    if rollout.phase not in BEFORE_TRAFFIC:
        return await call
    task = asyncio.ensure_future(call)
    stop = asyncio.ensure_future(interrupt.wait())
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for one in (task, stop):
            if not one.done():
                one.cancel()
        await asyncio.gather(task, stop, return_exceptions=True)
