"""An operator's hand on one instance: out of rotation and in again, forced up, restarted; and its output."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from bluegreen.domain.errors import UserError
from bluegreen.domain.instance import Instance
from bluegreen.domain.override import Force, Override, in_force
from bluegreen.domain.release import ServiceRecord
from bluegreen.domain.routing import Admin
from bluegreen.domain.secrecy import struck
from bluegreen.domain.slots import tended
from bluegreen.engine.commands import lookup, turn
from bluegreen.engine.commands.releases import in_progress
from bluegreen.engine.engine import Engine
from bluegreen.engine.narrate import instance_told


def find(engine: Engine, name: str) -> Instance:
    """Return the instance called ``name``. Raises ``UserError`` (``unknown_instance``)."""
    found = engine.inventory.find(name)
    if found is None:
        raise lookup.unknown("instance", name, (i.name for i in engine.inventory.everything()))
    return found


async def drain(
    engine: Engine, name: str, *, why: str = "", seconds: float | None = None, force: bool = False
) -> None:
    """Give the instance no new requests; those in flight end. Lasts ``seconds``, or until ``ready``."""
    words = why or "drained by hand"
    await _override(engine, find(engine, name), Force.OUT, words, seconds, spare_the_last=not force)


async def force_up(engine: Engine, name: str, *, why: str, seconds: float | None = None) -> None:
    """Keep the instance in rotation whatever the checks say, for ``seconds``, or until ``ready``."""
    await _override(engine, find(engine, name), Force.UP, why, seconds)


async def restart(engine: Engine, name: str, *, why: str = "", force: bool = False) -> None:
    """Have the instance drained, stopped, started, and in again once it is well; returns at once.

    Raises ``UserError``: ``last_instance`` without ``force``, ``rollout_in_progress`` while a rollout
    brings its color up or takes it down.
    """
    instance = find(engine, name)
    key = (instance.stack, instance.service)
    record = engine.ledger.services.get(key)
    rollout = engine.active(key)
    if record is None or instance.color not in tended(record, rollout):
        if rollout is not None and not rollout.final:
            raise in_progress(rollout)
        raise UserError(
            f"{name} is not wanted any more: it is about to be removed",
            code="not_wanted",
            hint=f"`bluegreen ps --service {instance.service}` shows what is.",
        )
    words = why or "restarted by hand"
    await _override(engine, instance, Force.RESTART, words, None, spare_the_last=not force)


async def ready(engine: Engine, name: str) -> None:
    """Take back what was said of an instance: its checks decide again."""
    instance = find(engine, name)
    key = (instance.stack, instance.service)

    def without(record: ServiceRecord) -> ServiceRecord:
        return replace(record, overrides={n: o for n, o in record.overrides.items() if n != name})

    told = instance_told(instance, "override.ended", f"{name}: its checks decide again", engine.clock.now())
    async with _turn(engine, instance):
        await engine.ledger.change_service(key, without, (told,))
        engine.loop(key).wake()


@asynccontextmanager
async def _turn(engine: Engine, instance: Instance) -> AsyncIterator[None]:
    """Hold the stack of an instance that is still there when its turn comes."""
    async with turn.of_service(engine, instance.service, instance.stack):
        find(engine, instance.name)
        yield


def _refuse_the_last(engine: Engine, instance: Instance) -> None:
    """Raise where nobody else serves: by the balancer's servers, and by what was asked for just now."""
    servers = engine.switchboard.servers(instance.pool)
    record = engine.ledger.services.get((instance.stack, instance.service))
    forced = {} if record is None else in_force(record.overrides, engine.clock.now())
    others = [
        s
        for s in servers
        if s.name != instance.name
        and s.admin is Admin.READY
        and (s.name not in forced or forced[s.name].force is Force.UP)
        and engine.sentinel.against(instance.pool, s.name) is None
    ]
    serves = any(s.name == instance.name and s.admin is Admin.READY for s in servers)
    has_traffic = any(instance.pool in r.live for r in engine.switchboard.routing.routes.values())
    if has_traffic and serves and not others:
        raise UserError(
            f"{instance.name} is the last instance of {instance.pool} that serves",
            code="last_instance",
            hint=f"Scale first (`bluegreen scale {instance.service} 2`), or give --force.",
        )


async def _override(
    engine: Engine,
    instance: Instance,
    force: Force,
    why: str,
    seconds: float | None,
    *,
    spare_the_last: bool = False,
) -> None:
    key, now = (instance.stack, instance.service), engine.clock.now()
    override = Override(
        force=force,
        why=why,
        since=now,
        until=None if seconds is None else now + seconds,
        incarnation=instance.incarnation if force is Force.RESTART else "",
    )

    def marked(record: ServiceRecord) -> ServiceRecord:
        return replace(record, overrides={**record.overrides, instance.name: override})

    bound = "" if seconds is None else f" for {seconds:g} s"
    message = f"{instance.name} is forced {force}{bound}: {why}"
    async with _turn(engine, instance):
        if spare_the_last:
            _refuse_the_last(engine, instance)
        told = instance_told(instance, "override.set", message, now, "warning")
        await engine.ledger.change_service(key, marked, (told,))
        engine.loop(key).wake()


async def output(engine: Engine, name: str, *, tail: int, follow: bool = False) -> AsyncIterator[str]:
    """Yield the last lines of an instance's output, oldest first, and with ``follow`` what comes then.

    Secrets of its environment are masked. Raises what its runtime raises.
    """
    found = find(engine, name)
    await engine.ledger.releases(found.stack, found.service)  # its secrets may be those of an old one
    secrets = engine.ledger.secrets(found.stack, found.service)
    async with aclosing(engine.drivers.console.logs(name, tail=tail, follow=follow)) as lines:  # type: ignore[type-var]
        async for line in lines:
            yield struck(line, secrets)
