"""A journal in memory, for tests of whatever decides.

It passes the same contract suite as the real one (:mod:`bluegreen.testing.journal_contract`) and
can be told to fail, hang or crash its caller at the nth call. It stands for the file, not for the
process: after a :class:`Crash` the next controller is given the same object and finds what was
recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from bluegreen.domain.errors import Temporary
from bluegreen.domain.events import Event
from bluegreen.domain.release import Release, ServiceRecord
from bluegreen.domain.rollout import Rollout
from bluegreen.ports.journal import (
    AddRelease,
    Change,
    DropStack,
    Journal,
    Lease,
    Memory,
    Query,
    SaveRollout,
    SaveService,
    SaveStack,
    StackRecord,
)
from bluegreen.testing.troubles import Troubles

T = TypeVar("T")


class Crash(BaseException):
    """The controller died here. Not an ``Exception``: no handler of the program may survive it."""


@dataclass(frozen=True, slots=True)
class _Contents:
    """Everything stored, as one value: a record that fails half-way simply is not kept."""

    stacks: Mapping[str, StackRecord] = field(default_factory=dict)
    services: Mapping[tuple[str, str], ServiceRecord] = field(default_factory=dict)
    releases: Mapping[tuple[str, str, int], Release] = field(default_factory=dict)
    rollouts: Mapping[str, Rollout] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    leases: Mapping[str, Lease] = field(default_factory=dict)


class FakeJournal:
    """See the module. ``calls`` holds the name of every method called, oldest first.

    ``tap`` is called with ``("before" | "after", method)`` around the effect of each call and may
    raise: a test can crash a controller at every single call with it.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.tap: Callable[[str, str], None] = lambda _when, _method: None
        self._contents = _Contents()
        self._troubles = Troubles()

    # -- Journal -------------------------------------------------------------------------------

    async def load(self) -> Memory:
        def act() -> Memory:
            kept = self._contents
            return Memory(
                stacks=tuple(record for _, record in sorted(kept.stacks.items())),
                services=tuple(record for _, record in sorted(kept.services.items())),
                rollouts=tuple(rollout for rollout in kept.rollouts.values() if not rollout.final),
            )

        return await self._call("load", act)

    async def record(self, changes: Sequence[Change], events: Sequence[Event] = ()) -> tuple[Event, ...]:
        def act() -> tuple[Event, ...]:
            contents = self._contents
            for change in changes:
                contents = _apply(contents, change)
            first = len(contents.events) + 1
            written = tuple(replace(event, id=first + index) for index, event in enumerate(events))
            self._contents = replace(contents, events=contents.events + written)
            return written

        return await self._call("record", act)

    async def events(self, query: Query) -> tuple[Event, ...]:
        def act() -> tuple[Event, ...]:
            found = [event for event in self._contents.events if _matches(event.stack, event.service, query)]
            found = [event for event in found if query.rollout in ("", event.rollout)]
            if query.after is None:
                return tuple(found[max(len(found) - query.limit, 0) :])
            return tuple([event for event in found if event.id > query.after][: query.limit])

        return await self._call("events", act)

    async def releases(self, stack: str, service: str) -> tuple[Release, ...]:
        def act() -> tuple[Release, ...]:
            found = sorted(self._contents.releases.items())
            return tuple(release for key, release in found if key[:2] == (stack, service))

        return await self._call("releases", act)

    async def rollouts(self, query: Query) -> tuple[Rollout, ...]:
        def act() -> tuple[Rollout, ...]:
            newest_first = reversed(list(self._contents.rollouts.values()))
            found = [rollout for rollout in newest_first if _matches(rollout.stack, rollout.service, query)]
            return tuple([r for r in found if r.id.startswith(query.rollout)][: query.limit])

        return await self._call("rollouts", act)

    async def hold(self, name: str, owner: str, now: float, ttl: float) -> Lease:
        def act() -> Lease:
            stored = self._contents.leases.get(name, Lease(name=name, owner="", fence=0, expires_at=now))
            held = stored.expires_at > now
            if held and stored.owner != owner:
                raise Temporary(f"{name} is held by {stored.owner}.", code="lease_held")
            fence = stored.fence if held or ttl <= 0 else stored.fence + 1
            lease = Lease(name=name, owner=owner, fence=fence, expires_at=now + ttl)
            self._contents = replace(self._contents, leases={**self._contents.leases, name: lease})
            return lease

        return await self._call("hold", act)

    # -- what a test can do to it --------------------------------------------------------------

    def fail(self, method: str, error: BaseException, *, nth: int = 1, after: bool = False) -> None:
        """Raise ``error`` at the ``nth`` call of ``method`` from now, before or ``after`` its effect."""
        self._troubles.fail(method, error, nth, after)

    def crash(self, method: str, *, nth: int = 1, after: bool = False) -> None:
        """End the controller at the ``nth`` call of ``method`` from now, before or ``after`` its effect."""
        self.fail(method, Crash(f"{'after' if after else 'before'} {method}"), nth=nth, after=after)

    def hang(self, method: str, *, nth: int = 1, after: bool = False) -> None:
        """Let the ``nth`` call of ``method`` from now wait until it is cancelled."""
        self._troubles.hang(method, nth, after)

    # -- inside --------------------------------------------------------------------------------

    async def _call(self, method: str, act: Callable[[], T]) -> T:
        self.calls.append(method)
        await asyncio.sleep(0)  # the real one gives way here too: let others interleave
        self.tap("before", method)
        await self._troubles.come(method, after=False)
        result = act()
        self.tap("after", method)
        await self._troubles.come(method, after=True)
        return result


def _apply(kept: _Contents, change: Change) -> _Contents:
    match change:
        case SaveStack(record):
            return _save_stack(kept, record)
        case DropStack(name):
            stacks = {key: record for key, record in kept.stacks.items() if key != name}
            services = {key: record for key, record in kept.services.items() if key[0] != name}
            return replace(kept, stacks=stacks, services=services)
        case AddRelease(release):
            return _add_release(kept, release)
        case SaveService(record):
            return _save_service(kept, record)
        case SaveRollout(rollout):
            return _save_rollout(kept, rollout)


def _save_stack(kept: _Contents, record: StackRecord) -> _Contents:
    stored = kept.stacks.get(record.spec.name)
    _expect(record.generation == (stored.generation if stored else 0) + 1, record.spec.name)
    return replace(kept, stacks={**kept.stacks, record.spec.name: record})


def _save_service(kept: _Contents, record: ServiceRecord) -> _Contents:
    key = (record.stack, record.name)
    stored = kept.services.get(key)
    _expect(record.generation == (stored.generation if stored else 0) + 1, record.name)
    return replace(kept, services={**kept.services, key: record})


def _add_release(kept: _Contents, release: Release) -> _Contents:
    key = (release.stack, release.service, release.number)
    _expect(key not in kept.releases, f"release {release.number} of {release.service}")
    return replace(kept, releases={**kept.releases, key: release})


def _save_rollout(kept: _Contents, rollout: Rollout) -> _Contents:
    stored = kept.rollouts.get(rollout.id)
    _expect(stored is None or rollout.version > stored.version, rollout.id)
    return replace(kept, rollouts={**kept.rollouts, rollout.id: rollout})


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise Temporary(f"Somebody else changed {what} at the same time.", code="conflict")


def _matches(stack: str, service: str, query: Query) -> bool:
    return query.stack in ("", stack) and query.service in ("", service)


_: type[Journal] = FakeJournal
