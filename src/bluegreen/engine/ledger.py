"""What is wanted, in memory and in the journal, never one without the other.

The only writer of the journal. :meth:`Ledger.commit` is the one place where an event becomes a row,
a log line and a message of the stream, so they cannot disagree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from bluegreen.domain.events import Event
from bluegreen.domain.release import Release, ServiceRecord
from bluegreen.domain.rollout import Rollout
from bluegreen.domain.stack import StackSpec
from bluegreen.engine.bus import Bus
from bluegreen.ports.journal import (
    AddRelease,
    Change,
    DropStack,
    Journal,
    SaveRollout,
    SaveService,
    SaveStack,
    StackRecord,
)

JOURNAL_DEADLINE = 15.0
"""Seconds after which a write counts as failed: a disk that hangs must not hang the controller."""

log = structlog.get_logger()

ServiceKey = tuple[str, str]


class Ledger:
    def __init__(self, journal: Journal, bus: Bus) -> None:
        self._journal = journal
        self._bus = bus
        self.stacks: dict[str, StackRecord] = {}
        self.services: dict[ServiceKey, ServiceRecord] = {}
        self.active: dict[ServiceKey, Rollout] = {}
        self.begun: dict[ServiceKey, Rollout] = {}
        self.recent: dict[str, Rollout] = {}
        self._releases: dict[ServiceKey, tuple[Release, ...]] = {}
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        async with asyncio.timeout(JOURNAL_DEADLINE):
            memory = await self._journal.load()
        self.stacks = {record.spec.name: record for record in memory.stacks}
        self.services = {(record.stack, record.name): record for record in memory.services}
        self.active = {(rollout.stack, rollout.service): rollout for rollout in memory.rollouts}

    async def commit(
        self, changes: Sequence[Change] | Callable[[], Sequence[Change]], events: Sequence[Event] = ()
    ) -> None:
        """Write, then remember, then tell. Raises what the journal raises; then nothing changed.

        Commits are taken one at a time; changes given as a function are made from what is then
        remembered, so that nobody's earlier change is lost.
        """
        async with self._writing:
            wanted = changes() if callable(changes) else changes
            async with asyncio.timeout(JOURNAL_DEADLINE):
                written = await self._journal.record(wanted, events)
            for change in wanted:
                self._remember(change)
        for event in written:
            log.log(_LEVELS[event.level], event.kind, **_fields(event))
        self._bus.publish(written)

    def _remember(self, change: Change) -> None:
        match change:
            case SaveStack(record):
                self.stacks[record.spec.name] = record
            case DropStack(name):
                self.stacks.pop(name, None)
                for key in [k for k in self.services if k[0] == name]:
                    self.services.pop(key)
            case SaveService(service):
                self.services[(service.stack, service.name)] = service
            case AddRelease(release):
                self._releases.pop((release.stack, release.service), None)
            case SaveRollout(rollout):
                self._remember_rollout(rollout)

    def under_way(self, key: ServiceKey) -> bool:
        """Return whether the service has a rollout, be it in the journal yet or only begun."""
        return key in self.active or key in self.begun

    def _remember_rollout(self, rollout: Rollout) -> None:
        key = (rollout.stack, rollout.service)
        self.begun.pop(key, None)
        if rollout.final:
            self.active.pop(key, None)
            self.recent[rollout.id] = rollout
            while len(self.recent) > 200:
                self.recent.pop(next(iter(self.recent)))
        else:
            self.active[key] = rollout

    def spec(self, stack: str) -> StackSpec:
        return self.stacks[stack].spec

    async def releases(self, stack: str, service: str) -> tuple[Release, ...]:
        """Return the releases of a service, oldest first, from memory where they are known."""
        key = (stack, service)
        if key not in self._releases:
            async with asyncio.timeout(JOURNAL_DEADLINE):
                self._releases[key] = await self._journal.releases(stack, service)
        return self._releases[key]

    async def release(self, stack: str, service: str, number: int) -> Release | None:
        releases = await self.releases(stack, service)
        return next((r for r in releases if r.number == number), None)


_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def _fields(event: Event) -> dict[str, str]:
    named = {"stack": event.stack, "service": event.service, "rollout": event.rollout}
    return {"message": event.message} | {k: v for k, v in named.items() if v} | dict(event.data)
