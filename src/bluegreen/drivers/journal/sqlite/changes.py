"""Each change of the port as statements. Called inside the write transaction of the store.

Rule: compare first, then set. The transaction holds the write lock from its first statement
(``BEGIN IMMEDIATE``), so nothing comes between the two.
"""

from __future__ import annotations

from functools import cache, singledispatch
from typing import Any

from sqlalchemy import Connection, Select, Table, and_, bindparam, delete, select
from sqlalchemy.dialects.sqlite import Insert, insert

from bluegreen.domain.errors import Temporary
from bluegreen.drivers.journal.sqlite.tables import releases, rollouts, services, stacks
from bluegreen.ports.codec import encode
from bluegreen.ports.journal import AddRelease, DropStack, SaveRollout, SaveService, SaveStack

# Statements are made once: to make one costs more than to execute it.
_STACK = select(stacks.c.generation).where(stacks.c.name == bindparam("name"))
_SERVICE = select(services.c.generation).where(
    and_(services.c.stack == bindparam("stack"), services.c.name == bindparam("name"))
)
_ROLLOUT = select(rollouts.c.version).where(rollouts.c.id == bindparam("id"))
_NEW_RELEASE = insert(releases).on_conflict_do_nothing()


@singledispatch
def make(change: object, connection: Connection) -> None:
    """Store one change, or raise ``Temporary`` (``conflict``) having stored nothing."""
    raise TypeError(f"not a change of the journal: {change!r}")


@make.register
def _(change: SaveStack, connection: Connection) -> None:
    name, generation = change.record.spec.name, change.record.generation
    _expect_next(connection, f"the stack {name}", _STACK, {"name": name}, generation)
    put(connection, stacks, "name", name=name, generation=generation, document=encode(change.record))


@make.register
def _(change: DropStack, connection: Connection) -> None:
    connection.execute(delete(stacks).where(stacks.c.name == change.name))
    connection.execute(delete(services).where(services.c.stack == change.name))


@make.register
def _(change: SaveService, connection: Connection) -> None:
    record = change.record
    key = {"stack": record.stack, "name": record.name}
    what = f"the service {record.stack}/{record.name}"
    _expect_next(connection, what, _SERVICE, key, record.generation)
    put(connection, services, *key, **key, generation=record.generation, document=encode(record))


@make.register
def _(change: AddRelease, connection: Connection) -> None:
    release = change.release
    values = {"stack": release.stack, "service": release.service, "number": release.number}
    if connection.execute(_NEW_RELEASE, {**values, "document": encode(release)}).rowcount == 0:
        what = f"release {release.number} of {release.stack}/{release.service}"
        raise _conflict(what, "exists already", f"number {release.number}")


@make.register
def _(change: SaveRollout, connection: Connection) -> None:
    rollout = change.rollout
    stored = connection.execute(_ROLLOUT, {"id": rollout.id}).scalar_one_or_none()
    if stored is not None and rollout.version <= stored:
        raise _conflict(f"the rollout {rollout.id}", f"version {stored}", f"version {rollout.version}")
    values = {"id": rollout.id, "stack": rollout.stack, "service": rollout.service}
    state = {"version": rollout.version, "final": rollout.final}
    put(connection, rollouts, "id", **values, **state, document=encode(rollout))


def _expect_next(
    connection: Connection, what: str, stored_one: Select[Any], key: dict[str, str], generation: int
) -> None:
    """What is not stored counts as generation 0."""
    stored = connection.execute(stored_one, key).scalar_one_or_none() or 0
    if generation != stored + 1:
        raise _conflict(what, f"generation {stored}", f"generation {generation}")


def put(connection: Connection, table: Table, *key: str, **values: object) -> None:
    """Insert the row, or replace the one with the same ``key`` columns."""
    connection.execute(_upsert(table, key, tuple(values)), values)


@cache
def _upsert(table: Table, key: tuple[str, ...], names: tuple[str, ...]) -> Insert:
    statement = insert(table)
    changed = {name: statement.excluded[name] for name in names if name not in key}
    return statement.on_conflict_do_update(index_elements=key, set_=changed)


def _conflict(what: str, stored: str, ours: str) -> Temporary:
    return Temporary(
        f"Somebody else changed {what} at the same time.",
        code="conflict",
        evidence=(("stored", stored), ("to be stored", ours)),
        hint="Look at its present state, then ask again if the change is still wanted.",
    )
