"""Each change of the port as statements. Called inside the write transaction of the store.

Rule: compare first, then set. The transaction holds the write lock from its first statement
(``BEGIN IMMEDIATE``), so nothing comes between the two.
"""

from __future__ import annotations

from functools import singledispatch

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, select
from sqlalchemy.dialects.sqlite import insert

from bluegreen.domain.errors import Temporary
from bluegreen.drivers.journal.sqlite.tables import releases, rollouts, services, stacks
from bluegreen.ports.codec import encode
from bluegreen.ports.journal import AddRelease, DropStack, SaveRollout, SaveService, SaveStack


@singledispatch
def make(change: object, connection: Connection) -> None:
    """Store one change, or raise ``Temporary`` (``conflict``) having stored nothing."""
    raise TypeError(f"not a change of the journal: {change!r}")


@make.register
def _(change: SaveStack, connection: Connection) -> None:
    name, generation = change.record.spec.name, change.record.generation
    _expect_next(connection, f"the stack {name}", stacks, stacks.c.name == name, generation)
    put(connection, stacks, "name", name=name, generation=generation, document=encode(change.record))


@make.register
def _(change: DropStack, connection: Connection) -> None:
    connection.execute(delete(stacks).where(stacks.c.name == change.name))
    connection.execute(delete(services).where(services.c.stack == change.name))


@make.register
def _(change: SaveService, connection: Connection) -> None:
    record = change.record
    key = and_(services.c.stack == record.stack, services.c.name == record.name)
    what = f"the service {record.stack}/{record.name}"
    _expect_next(connection, what, services, key, record.generation)
    values = {"stack": record.stack, "name": record.name, "generation": record.generation}
    put(connection, services, "stack", "name", **values, document=encode(record))


@make.register
def _(change: AddRelease, connection: Connection) -> None:
    release = change.release
    statement = insert(releases).on_conflict_do_nothing()
    values = {"stack": release.stack, "service": release.service, "number": release.number}
    if connection.execute(statement, {**values, "document": encode(release)}).rowcount == 0:
        what = f"release {release.number} of {release.stack}/{release.service}"
        raise _conflict(what, "exists already", f"number {release.number}")


@make.register
def _(change: SaveRollout, connection: Connection) -> None:
    rollout = change.rollout
    found = select(rollouts.c.version).where(rollouts.c.id == rollout.id)
    stored = connection.execute(found).scalar_one_or_none()
    if stored is not None and rollout.version <= stored:
        raise _conflict(f"the rollout {rollout.id}", f"version {stored}", f"version {rollout.version}")
    values = {"id": rollout.id, "stack": rollout.stack, "service": rollout.service}
    state = {"version": rollout.version, "final": rollout.final}
    put(connection, rollouts, "id", **values, **state, document=encode(rollout))


def _expect_next(
    connection: Connection, what: str, table: Table, key: ColumnElement[bool], generation: int
) -> None:
    """What is not stored counts as generation 0."""
    stored = connection.execute(select(table.c.generation).where(key)).scalar_one_or_none() or 0
    if generation != stored + 1:
        raise _conflict(what, f"generation {stored}", f"generation {generation}")


def put(connection: Connection, table: Table, *key: str, **values: object) -> None:
    """Insert the row, or replace the one with the same ``key`` columns."""
    statement = insert(table)
    changed = {name: statement.excluded[name] for name in values if name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changed), values)


def _conflict(what: str, stored: str, ours: str) -> Temporary:
    return Temporary(
        f"Somebody else changed {what} at the same time.",
        code="conflict",
        evidence=(("stored", stored), ("to be stored", ours)),
        hint="Look at its present state, then ask again if the change is still wanted.",
    )
