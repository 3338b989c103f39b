"""What is wanted, in memory and in the journal, never one without the other.

The only writer of the journal. :meth:`Ledger.commit` is the one place where an event becomes a row,
a log line and a message of the stream, so they cannot disagree.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from bluegreen.domain import balancer_secrecy, secrecy
from bluegreen.domain.errors import BluegreenError, Temporary
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
    Query,
    SaveRollout,
    SaveService,
    SaveStack,
    StackRecord,
)

JOURNAL_DEADLINE = 15.0
"""Seconds after which a write counts as failed: a disk that hangs must not hang the controller."""

log = structlog.get_logger()

ServiceKey = tuple[str, str]


@asynccontextmanager
async def _deadline() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(JOURNAL_DEADLINE):
            yield
    except TimeoutError as error:
        raise Temporary(
            f"the journal did not answer within {JOURNAL_DEADLINE:g} s",
            code="journal_hung",
            hint="Traffic stays as it is. Look at the disk that holds the state folder.",
        ) from error


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
        self._in_doubt = False

    async def load(self) -> None:
        """Read everything. Raises what the journal raises, ``Temporary`` when it hangs."""
        async with _deadline():
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
            doubtful = self._in_doubt
            if doubtful:
                await self._look_again()
            wanted = changes() if callable(changes) else changes
            events = [self._discreet(event) for event in events]
            rollout = next((c.rollout for c in wanted if isinstance(c, SaveRollout)), None)
            self._refuse_a_second(rollout)
            if doubtful and rollout is not None and await self._is_stored(rollout):
                wanted = [SaveRollout(rollout)]
                written = await self._stored_events(rollout, len(events))
            else:
                written = await self._write(wanted, events)
            for change in wanted:
                self._remember(change)
        for event in written:
            log.log(_LEVELS[event.level], event.kind, **_fields(event))
        self._bus.publish(written)

    def _refuse_a_second(self, rollout: Rollout | None) -> None:
        """A service has one rollout at a time, also where the beginning of one was taken for lost."""
        other = self.active.get((rollout.stack, rollout.service)) if rollout is not None else None
        if rollout is not None and other is not None and other.id != rollout.id:
            raise Temporary(
                f"rollout {other.id} of {rollout.service} is under way",
                code="conflict",
                hint=f"Wait for it (`bluegreen status --watch`), or end it: `bluegreen abort {other.id}`.",
            )

    async def _write(self, changes: Sequence[Change], events: Sequence[Event]) -> tuple[Event, ...]:
        try:
            async with _deadline():
                return await self._journal.record(changes, events)
        except BluegreenError:
            self._in_doubt = True  # it may be written all the same: look before the next write
            raise

    async def _look_again(self) -> None:
        await self.load()
        self._releases.clear()
        self._in_doubt = False

    async def _is_stored(self, rollout: Rollout) -> bool:
        async with _deadline():
            stored = await self._journal.rollouts(Query(rollout=rollout.id, limit=1))
        return bool(stored) and stored[0].version >= rollout.version

    async def _stored_events(self, rollout: Rollout, count: int) -> tuple[Event, ...]:
        async with _deadline():
            return await self._journal.events(Query(rollout=rollout.id, limit=count))

    async def change_service(
        self,
        key: ServiceKey,
        change: Callable[[ServiceRecord], ServiceRecord],
        events: Sequence[Event] = (),
    ) -> ServiceRecord:
        """Store what ``change`` makes of what is wanted of a service at that moment; return it."""
        changed: list[ServiceRecord] = []

        def rows() -> tuple[Change, ...]:
            before = self.services[key]
            changed.append(replace(change(before), generation=before.generation + 1))
            return (SaveService(changed[-1]),)

        await self.commit(rows, events)
        return changed[-1]

    async def change_stack(
        self, name: str, change: Callable[[StackRecord], StackRecord], events: Sequence[Event]
    ) -> StackRecord:
        """Store what ``change`` makes of a stack's record at that moment; return it.

        A rollout, which takes no lock of commands, may have moved its aim until it is our turn to write.
        """
        changed: list[StackRecord] = []

        def rows() -> tuple[Change, ...]:
            before = self.stacks[name]
            changed.append(replace(change(before), generation=before.generation + 1))
            return (SaveStack(changed[-1]),)

        await self.commit(rows, events)
        return changed[-1]

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

    def secrets(self, stack: str = "", service: str = "") -> frozenset[str]:
        """Return the secret values that are known of a service; of all services where none is named."""
        own = [key for key in self.services if stack in ("", key[0]) and service in ("", key[1])]
        wanted = [record.spec for name, record in self.stacks.items() if stack in ("", name)]
        specs = [s for spec in wanted for s in spec.services if service in ("", s.name)]
        rollouts = [r for key in own for r in (self.active.get(key), self.begun.get(key)) if r is not None]
        released = [release.spec for key in own for release in self._releases.get(key, ())]
        own_words = secrecy.values([*specs, *released, *(s for r in rollouts for s in (r.spec, r.former))])
        return own_words.union(*(balancer_secrecy.values(b) for spec in wanted for b in spec.balancers))

    def _discreet(self, event: Event) -> Event:
        secrets = self.secrets(event.stack, event.service)
        if not secrets:
            return event
        data = {label: secrecy.struck(text, secrets) for label, text in event.data.items()}
        return replace(event, message=secrecy.struck(event.message, secrets), data=data)

    def spec(self, stack: str) -> StackSpec:
        return self.stacks[stack].spec

    async def releases(self, stack: str, service: str) -> tuple[Release, ...]:
        """Return the releases of a service, oldest first, from memory where they are known."""
        key = (stack, service)
        if key not in self._releases:
            async with _deadline():
                self._releases[key] = await self._journal.releases(stack, service)
        return self._releases[key]

    async def release(self, stack: str, service: str, number: int) -> Release | None:
        releases = await self.releases(stack, service)
        return next((r for r in releases if r.number == number), None)


_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def _fields(event: Event) -> dict[str, str]:
    named = {"stack": event.stack, "service": event.service, "rollout": event.rollout}
    return {"message": event.message} | {k: v for k, v in named.items() if v} | dict(event.data)
