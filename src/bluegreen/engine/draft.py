"""A rollout in the hands of its loop, with what was decided and is not yet in the journal."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from bluegreen.domain import slots, targets
from bluegreen.domain.events import Event
from bluegreen.domain.release import Release, ServiceRecord
from bluegreen.domain.rollout import Happened, Rollout
from bluegreen.domain.steps import Step
from bluegreen.engine.ledger import Ledger
from bluegreen.ports.journal import AddRelease, Change, SaveRollout, SaveService, SaveStack


@dataclass(slots=True)
class Draft:
    """A rollout, and what was decided of it that is not yet in the journal.

    Those who wait for a decision to be durable leave a future in ``awaited``; ``trouble`` is what last
    kept it from being written. ``withdrawn`` says that nobody waits for its beginning any more.
    ``done`` is the step that was done last in this turn of the loop.
    """

    rollout: Rollout
    events: list[Event] = field(default_factory=list)
    decided: list[tuple[Rollout, Happened]] = field(default_factory=list)
    release: Release | None = None
    trouble: str = ""
    withdrawn: bool = False
    done: Step | None = None
    awaited: list[asyncio.Future[Rollout]] = field(default_factory=list)

    def durable(self) -> asyncio.Future[Rollout]:
        """Return a future that is done once everything decided so far is in the journal."""
        done: asyncio.Future[Rollout] = asyncio.get_running_loop().create_future()
        self.awaited.append(done)
        return done

    def written(self) -> None:
        """Forget what is in the journal now, and tell those who waited for it."""
        self.events, self.decided, self.release = [], [], None
        awaited, self.awaited = self.awaited, []
        for done in awaited:
            if not done.done():
                done.set_result(self.rollout)

    def changes(self, ledger: Ledger) -> tuple[Change, ...]:
        """Return the rows to write, made from what ``ledger`` remembers at this moment."""
        rollout = self.rollout
        rows: list[Change] = [] if self.release is None else [AddRelease(self.release)]
        service = ledger.services.get((rollout.stack, rollout.service))
        stack = ledger.stacks.get(rollout.stack)
        for after, happened in self.decided:
            if service is not None and (record := slots.after(service, after, happened)) is not None:
                service = record
                rows = [r for r in rows if not isinstance(r, SaveService)] + [
                    SaveService(_bump(service, ledger))
                ]
            if stack is not None and (spec := targets.after(stack.spec, after, happened)) is not None:
                stored = ledger.stacks[rollout.stack].generation
                stack = replace(stack, spec=spec, generation=stored + 1, changed_at=after.since)
                rows = [r for r in rows if not isinstance(r, SaveStack)] + [SaveStack(stack)]
        return (*rows, SaveRollout(rollout))


def _bump(record: ServiceRecord, ledger: Ledger) -> ServiceRecord:
    """Return ``record`` one generation after the stored one, however many steps are in it."""
    stored = ledger.services[(record.stack, record.name)]
    return replace(record, generation=stored.generation + 1)
