"""Scale, stop, start, terminate, environment: one service."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from bluegreen.domain.errors import UserError
from bluegreen.domain.release import ServiceRecord
from bluegreen.domain.rollout import Rollout
from bluegreen.domain.secrecy import restored
from bluegreen.domain.spec import ServiceSpec
from bluegreen.engine.commands import locks, lookup
from bluegreen.engine.commands.releases import (
    is_live,
    make_room,
    new_deploy,
    save_service_spec,
)
from bluegreen.engine.engine import Engine
from bluegreen.engine.ledger import ServiceKey

MOST_REPLICAS = 1000


async def scale(engine: Engine, name: str, replicas: int, *, stack: str | None = None) -> ServiceRecord:
    """Have ``replicas`` instances. New ones enter once they are well, old ones leave drained."""
    key = lookup.service(engine, name, stack)
    if not 0 <= replicas <= MOST_REPLICAS:
        raise UserError(
            f"{replicas} instances make no sense",
            code="bad_replicas",
            hint=f"Give a number from 0 to {MOST_REPLICAS}.",
        )
    async with engine.lock(key[0]):
        if replicas == 0:
            _refuse_if_live(engine, key, "scale to 0")
        spec = engine.ledger.spec(key[0])
        service = _spec(engine, key)
        await save_service_spec(engine, spec, replace(service, replicas=replicas))
        return await _save(engine, key, lambda record: replace(record, replicas=replicas))


async def stop(engine: Engine, name: str, *, stack: str | None = None, force: bool = False) -> ServiceRecord:
    """Stop every instance and keep it. Refused for a live service unless forced."""
    key = lookup.service(engine, name, stack)
    async with engine.lock(key[0]):
        locks.require_unlocked(engine, *key)
        if not force:
            _refuse_if_live(engine, key, "stop")
        return await _save(engine, key, lambda record: replace(record, stopped=True))


async def start(engine: Engine, name: str, *, stack: str | None = None) -> Rollout | None:
    """Start a stopped service; one that never ran, or was terminated, is rolled out anew."""
    key = lookup.service(engine, name, stack)
    async with engine.lock(key[0]):
        record = engine.ledger.services[key]
        if record.releases:
            await _save(engine, key, lambda record: replace(record, stopped=False))
            await _start_again(engine, record)
            return None
        locks.require_unlocked(engine, *key)
        await make_room(engine, key)
        spec = _spec(engine, key)
        rollout = await new_deploy(engine, engine.ledger.spec(key[0]), spec)
        await engine.begin(rollout)
        return rollout


async def terminate(
    engine: Engine, name: str, *, stack: str | None = None, force: bool = False
) -> ServiceRecord:
    """Remove every instance; the definition stays. Refused for a live service unless forced."""
    key = lookup.service(engine, name, stack)
    async with engine.lock(key[0]):
        locks.require_unlocked(engine, *key)
        if not force:
            _refuse_if_live(engine, key, "terminate")
        await make_room(engine, key)
        return await _save(engine, key, lambda record: replace(record, releases={}, stopped=False))


async def set_environment(
    engine: Engine,
    name: str,
    *,
    stack: str | None = None,
    put: Mapping[str, str] | None = None,
    drop: Collection[str] = (),
    replace_all: bool = False,
) -> ServiceSpec:
    """Change the wanted environment: the definition only, until the service is redeployed."""
    key = lookup.service(engine, name, stack)
    async with engine.lock(key[0]):
        locks.require_unlocked(engine, *key)
        service = _spec(engine, key)
        kept = {} if replace_all else {k: v for k, v in service.environment.items() if k not in drop}
        changed = restored(replace(service, environment={**kept, **(put or {})}), service)
        await save_service_spec(engine, engine.ledger.spec(key[0]), changed)
        return changed


async def _start_again(engine: Engine, record: ServiceRecord) -> None:
    """Start what was stopped by hand: the upkeep revives only what its restart policy would have run."""
    key = (record.stack, record.name)
    releases = {release.number: release for release in await engine.ledger.releases(*key)}
    for instance in engine.inventory.instances(key):
        engine.examiner.renew(instance)
        wanted = instance.color is not None and record.releases.get(instance.color) == instance.release
        if wanted and instance.color is not None and not instance.running and instance.release in releases:
            await engine.performer.start(releases[instance.release], instance.color, instance.index)
    engine.loop(key).wake()


async def set_image(engine: Engine, name: str, image: str, *, stack: str | None = None) -> ServiceSpec:
    """Change the wanted image: the definition only, until the service is redeployed."""
    key = lookup.service(engine, name, stack)
    async with engine.lock(key[0]):
        locks.require_unlocked(engine, *key)
        changed = replace(_spec(engine, key), image=image)
        await save_service_spec(engine, engine.ledger.spec(key[0]), changed)
        return changed


def _spec(engine: Engine, key: ServiceKey) -> ServiceSpec:
    spec = engine.ledger.spec(key[0]).service(key[1])
    if spec is None:
        raise UserError(
            f"{key[1]} is no longer in the stack file",
            code="unknown_service",
            hint="Remove what is left of it: `bluegreen up --prune`.",
        )
    return spec


def _refuse_if_live(engine: Engine, key: ServiceKey, verb: str) -> None:
    if is_live(engine, key):
        raise UserError(
            f"{key[1]} has live traffic: bluegreen does not {verb} it",
            code="live_color",
            hint="Switch the traffic away first, or give --force if you want the outage.",
        )


async def _save(
    engine: Engine, key: ServiceKey, change: Callable[[ServiceRecord], ServiceRecord]
) -> ServiceRecord:
    saved = await engine.ledger.change_service(key, change)
    engine.loop(key).wake()
    return saved
