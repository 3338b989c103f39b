"""Hooks, and what they were sent, in the journal's file. Runs in the worker's thread."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import delete, func, insert, select, update

from bluegreen.domain.errors import UserError
from bluegreen.domain.hooks import Delivery, Hook
from bluegreen.drivers.journal.sqlite.store import Store
from bluegreen.drivers.journal.sqlite.tables import hook_deliveries, hooks
from bluegreen.ports.codec import decode, encode
from bluegreen.ports.hooks import KEPT

_COLUMNS = hook_deliveries.c


class Hooks:
    """Synchronous counterpart of :class:`bluegreen.ports.hooks.HookStore`; raises what the port says."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def hooks(self) -> tuple[Hook, ...]:
        with self._store.look() as connection:
            found = connection.execute(select(hooks.c.document).order_by(hooks.c.seq)).scalars()
            return tuple(decode(Hook, document) for document in found)

    def keep_hook(self, hook: Hook) -> None:
        with self._store.change() as connection:
            taken = select(hooks.c.name).where((hooks.c.id == hook.id) | (hooks.c.name == hook.name))
            if connection.execute(taken).first() is not None:
                raise UserError(
                    f"there is a hook {hook.name} already",
                    code="hook_exists",
                    hint="Give it another name, or remove the other one: `bluegreen hook rm`.",
                )
            connection.execute(insert(hooks), {"id": hook.id, "name": hook.name, "document": encode(hook)})

    def remove_hook(self, id: str) -> bool:
        with self._store.change() as connection:
            return connection.execute(delete(hooks).where(hooks.c.id == id)).rowcount > 0

    def remember(self, delivery: Delivery) -> Delivery | None:
        own = (_COLUMNS.hook == delivery.hook) & (_COLUMNS.id == delivery.id)
        with self._store.change() as connection:
            connection.execute(delete(hook_deliveries).where(_COLUMNS.taken_at < delivery.taken_at - KEPT))
            row = connection.execute(select(hook_deliveries).where(own)).mappings().first()
            if row is None:
                values = asdict(delivery)
                connection.execute(insert(hook_deliveries), values)
                return None
            later = func.max(_COLUMNS.sent_at, delivery.sent_at)
            connection.execute(update(hook_deliveries).where(own).values(sent_at=later))
            return Delivery(**row)
