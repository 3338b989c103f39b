"""Journal: the durable memory of what was decided. It never holds what can be observed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bluegreen.domain.events import Event
from bluegreen.domain.lock import Lock
from bluegreen.domain.release import Release, ServiceRecord
from bluegreen.domain.rollout import Rollout
from bluegreen.domain.stack import StackSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRecord:
    """A stack as it was last wanted, and who keeps it from being changed. ``generation`` grows by one with
    every change of either."""

    spec: StackSpec
    generation: int
    changed_at: float
    locks: tuple[Lock, ...] = ()


@dataclass(frozen=True, slots=True)
class SaveStack:
    """Store the stack. Its ``generation`` must be the stored one + 1, else ``Conflict``."""

    record: StackRecord


@dataclass(frozen=True, slots=True)
class DropStack:
    """Forget the stack and its services. Releases, rollouts and events stay as history."""

    name: str


@dataclass(frozen=True, slots=True)
class AddRelease:
    """Store a release. Its number must be new for the service."""

    release: Release


@dataclass(frozen=True, slots=True)
class SaveService:
    """Store what is wanted of a service. ``generation`` must be the stored one + 1."""

    record: ServiceRecord


@dataclass(frozen=True, slots=True)
class SaveRollout:
    """Store a rollout. Its ``version`` must be greater than the stored one."""

    rollout: Rollout


Change = SaveStack | DropStack | AddRelease | SaveService | SaveRollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to act on ``name``. ``fence`` grows with every new holder. Times are UNIX seconds."""

    name: str
    owner: str
    fence: int
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Everything a controller needs to go on: all stacks and services, rollouts not yet final."""

    stacks: tuple[StackRecord, ...] = ()
    services: tuple[ServiceRecord, ...] = ()
    rollouts: tuple[Rollout, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which history: empty fields match everything; at most ``limit`` rows.

    With ``after`` the first rows after that event id, else the newest ones; always ascending.
    """

    stack: str = ""
    service: str = ""
    rollout: str = ""
    after: int | None = None
    limit: int = 100


class Journal(Protocol):
    async def load(self) -> Memory:
        """Return what is wanted. Raises ``Permanent`` (``journal_corrupt``) or ``Temporary``
        (``journal_locked``, ``disk_full``) with the path and what to do."""
        ...

    async def record(self, changes: Sequence[Change], events: Sequence[Event] = ()) -> tuple[Event, ...]:
        """Store all of it or nothing, durably, before returning; return the events with their ids.

        Raises ``Temporary`` (``conflict``) when somebody else was faster.
        """
        ...

    async def events(self, query: Query) -> tuple[Event, ...]: ...

    async def releases(self, stack: str, service: str) -> tuple[Release, ...]:
        """Return all releases of a service, oldest first."""
        ...

    async def rollouts(self, query: Query) -> tuple[Rollout, ...]:
        """Return rollouts, newest first (``query.rollout`` may be a prefix of an id)."""
        ...

    async def hold(self, name: str, owner: str, now: float, ttl: float) -> Lease:
        """Take or renew a lease; ``ttl`` of 0 gives it back.

        Raises ``Temporary`` (``lease_held``) naming the owner while another one's has not expired.
        """
        ...
