"""Drain and ready: an operator takes one instance out of rotation and puts it back."""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain.errors import UserError
from bluegreen.domain.instance import Instance
from bluegreen.domain.override import Force, Override
from bluegreen.domain.release import ServiceRecord
from bluegreen.domain.routing import Admin
from bluegreen.engine.commands import lookup
from bluegreen.engine.engine import Engine


def find(engine: Engine, name: str) -> Instance:
    """Return the instance called ``name``. Raises ``UserError`` (``unknown_instance``)."""
    found = next((i for i in engine.inventory.everything() if i.name == name), None)
    if found is None:
        raise lookup.unknown("instance", name, (i.name for i in engine.inventory.everything()))
    return found


async def drain(engine: Engine, name: str, *, why: str = "", force: bool = False) -> None:
    """Give the instance no new requests; those in flight end. Survives a controller restart."""
    instance = find(engine, name)
    servers = engine.switchboard.servers(instance.pool)
    others = [s for s in servers if s.name != name and s.admin is Admin.READY]
    has_traffic = any(instance.pool in r.live for r in engine.switchboard.routing.routes.values())
    if has_traffic and not others and not force:
        raise UserError(
            f"{name} is the last instance of {instance.pool} that serves",
            code="last_instance",
            hint=f"Scale first (`bluegreen scale {instance.service} 2`), or give --force.",
        )
    await _mark(engine, instance, why or "drained by hand")


async def ready(engine: Engine, name: str) -> None:
    """Put a drained instance back into rotation."""
    await _mark(engine, find(engine, name), None)


async def _mark(engine: Engine, instance: Instance, why: str | None) -> None:
    key = (instance.stack, instance.service)

    def marked(record: ServiceRecord) -> ServiceRecord:
        others = {n: o for n, o in record.overrides.items() if n != instance.name}
        if why is None:
            return replace(record, overrides=others)
        override = Override(force=Force.OUT, why=why, since=engine.clock.now())
        return replace(record, overrides=others | {instance.name: override})

    async with engine.lock(instance.stack):
        await engine.ledger.change_service(key, marked)
        engine.loop(key).wake()
