"""The journal's operations on an open database, one transaction each. Runs in the worker's thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, Table, bindparam, delete, func, insert, select

from bluegreen.domain.errors import Temporary
from bluegreen.domain.events import Event
from bluegreen.domain.release import Release, ServiceRecord
from bluegreen.domain.rollout import Rollout
from bluegreen.drivers.journal.sqlite import changes, database, faults
from bluegreen.drivers.journal.sqlite.options import Options
from bluegreen.drivers.journal.sqlite.tables import events, leases, releases, rollouts, services, stacks
from bluegreen.ports.codec import decode, encode
from bluegreen.ports.journal import Change, Lease, Memory, Query, StackRecord

T = TypeVar("T")

_PRUNE_EVERY = 1000
"""Events. So rarely that it costs nothing, so often that the file stays about as large as wanted."""

_ADD_EVENT = insert(events).returning(events.c.id)
_NEWEST_EVENT = select(func.max(events.c.id)).scalar_subquery()
_PRUNE_EVENTS = delete(events).where(events.c.id <= _NEWEST_EVENT - bindparam("keep"))


class Store:
    """Synchronous counterpart of :class:`bluegreen.ports.journal.Journal`; raises what the port says."""

    def __init__(self, options: Options) -> None:
        self._path = options.path
        self._keep = options.keep_events
        self._until_prune = 0
        with faults.translated(self._path, writing=False):
            self._connection = database.connect(options)

    def close(self) -> None:
        with faults.translated(self._path, writing=False):
            self._connection.close()

    def load(self) -> Memory:
        with self.look() as connection:
            return Memory(
                stacks=_read(connection, StackRecord, select(stacks.c.document).order_by(stacks.c.name)),
                services=_read(
                    connection,
                    ServiceRecord,
                    select(services.c.document).order_by(services.c.stack, services.c.name),
                ),
                rollouts=_read(
                    connection,
                    Rollout,
                    select(rollouts.c.document).where(~rollouts.c.final).order_by(rollouts.c.seq),
                ),
            )

    def record(self, wanted: Sequence[Change], happened: Sequence[Event]) -> tuple[Event, ...]:
        with self.change() as connection:
            for change in wanted:
                changes.make(change, connection)
            written = tuple(_add_event(connection, event) for event in happened)
            due = self._until_prune - len(written)
            if due <= 0:
                connection.execute(_PRUNE_EVENTS, {"keep": self._keep})
        self._until_prune = due if due > 0 else _PRUNE_EVERY
        return written

    def events(self, query: Query) -> tuple[Event, ...]:
        statement = _of(select(events.c.id, events.c.document), events, query).limit(query.limit)
        if query.rollout:
            statement = statement.where(events.c.rollout == query.rollout)
        if query.after is None:
            statement = statement.order_by(events.c.id.desc())
        else:
            statement = statement.where(events.c.id > query.after).order_by(events.c.id)
        with self.look() as connection:
            found = [(row.id, row.document) for row in connection.execute(statement)]
            return tuple(replace(decode(Event, document), id=id_) for id_, document in sorted(found))

    def releases(self, stack: str, service: str) -> tuple[Release, ...]:
        statement = (
            select(releases.c.document)
            .where(releases.c.stack == stack, releases.c.service == service)
            .order_by(releases.c.number)
        )
        with self.look() as connection:
            return _read(connection, Release, statement)

    def rollouts(self, query: Query) -> tuple[Rollout, ...]:
        statement = _of(select(rollouts.c.document), rollouts, query)
        if query.rollout:
            statement = statement.where(func.substr(rollouts.c.id, 1, len(query.rollout)) == query.rollout)
        with self.look() as connection:
            return _read(connection, Rollout, statement.order_by(rollouts.c.seq.desc()).limit(query.limit))

    def hold(self, name: str, owner: str, now: float, ttl: float) -> Lease:
        with self.change() as connection:
            row = connection.execute(select(leases).where(leases.c.name == name)).one_or_none()
            stored = None if row is None else Lease(**row._mapping)
            lease = _next_lease(stored, Lease(name=name, owner=owner, fence=0, expires_at=now + ttl), now)
            values = {"owner": lease.owner, "fence": lease.fence, "expires_at": lease.expires_at}
            changes.put(connection, leases, "name", name=name, **values)
        return lease

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """Yield a consistent view; what goes wrong in it is raised as the port says."""
        with (
            faults.translated(self._path, writing=False),
            database.transaction(self._connection, "DEFERRED") as connection,
        ):
            yield connection

    @contextmanager
    def change(self) -> Iterator[Connection]:
        """Yield a transaction that holds the write lock from its beginning."""
        with (
            faults.translated(self._path, writing=True),
            database.transaction(self._connection, "IMMEDIATE") as connection,
        ):
            yield connection


def _read(connection: Connection, kind: type[T], statement: Select[Any]) -> tuple[T, ...]:
    return tuple(decode(kind, document) for document in connection.execute(statement).scalars())


def _add_event(connection: Connection, event: Event) -> Event:
    values = {"stack": event.stack, "service": event.service, "rollout": event.rollout}
    added = connection.execute(_ADD_EVENT, {**values, "document": encode(event)})
    return replace(event, id=added.scalar_one())


def _of(statement: Select[Any], table: Table, query: Query) -> Select[Any]:
    if query.stack:
        statement = statement.where(table.c.stack == query.stack)
    if query.service:
        statement = statement.where(table.c.service == query.service)
    return statement


def _next_lease(stored: Lease | None, wanted: Lease, now: float) -> Lease:
    """Return ``wanted`` with its fence, or raise ``Temporary`` (``lease_held``).

    A lease that ran out was anybody's for a while: taking it again is a new holder even for the
    one who had it last.
    """
    if stored is None or stored.expires_at <= now:
        fence = 0 if stored is None else stored.fence
        return replace(wanted, fence=fence + 1 if wanted.expires_at > now else fence)
    if stored.owner != wanted.owner:
        raise Temporary(
            f"{wanted.name} is held by {stored.owner}.",
            code="lease_held",
            evidence=(("holder", stored.owner), ("until it expires", f"{stored.expires_at - now:.1f} s")),
            hint="Wait until it is given back or has expired, or ask its holder.",
        )
    return replace(wanted, fence=stored.fence)
