"""Scale, stop, start, terminate, environment: one service."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from bluegreen.domain.errors import UserError
from bluegreen.domain.release import ServiceRecord
from bluegreen.domain.rollout import Rollout
from bluegreen.domain.secrecy import restored
from bluegreen.domain.spec import ServiceSpec
from bluegreen.engine.commands import locks, turn
from bluegreen.engine.commands.releases import (
    change_service_spec,
    is_live,
    make_room,
    new_deploy,
    wanted,
)
from bluegreen.engine.engine import Engine
from bluegreen.engine.ledger import ServiceKey

MOST_REPLICAS = 1000


async def scale(engine: Engine, name: str, replicas: int, *, stack: str | None = None) -> ServiceRecord:
    """Have ``replicas`` instances. New ones enter once they are well, old ones leave drained."""
    if not 0 <= replicas <= MOST_REPLICAS:
        raise UserError(
            f"{replicas} instances make no sense",
            code="bad_replicas",
            hint=f"Give a number from 0 to {MOST_REPLICAS}.",
        )
    async with turn.of_service(engine, name, stack) as key:
        if replicas == 0:
            _refuse_if_live(engine, key, "scale to 0")
        await change_service_spec(engine, key, lambda service: replace(service, replicas=replicas))
        return await _save(engine, key, lambda record: replace(record, replicas=replicas))


async def stop(engine: Engine, name: str, *, stack: str | None = None, force: bool = False) -> ServiceRecord:
    """Stop every instance and keep it. Refused for a live service unless forced."""
    async with turn.of_service(engine, name, stack) as key:
        locks.require_unlocked(engine, *key)
        if not force:
            _refuse_if_live(engine, key, "stop")
        return await _save(engine, key, lambda record: replace(record, stopped=True))


async def start(engine: Engine, name: str, *, stack: str | None = None) -> Rollout | None:
    """Start a stopped service; one that never ran, or was terminated, is rolled out anew."""
    async with turn.of_service(engine, name, stack) as key:
        record = engine.ledger.services[key]
        if record.releases:
            await _save(engine, key, lambda record: replace(record, stopped=False))
            await _start_again(engine, record)
            return None
        locks.require_unlocked(engine, *key)
        await make_room(engine, key)
        stack_spec = engine.ledger.spec(key[0])
        rollout = await new_deploy(engine, stack_spec, wanted(stack_spec, key[1]))
        await engine.begin(rollout)
        return rollout


async def terminate(
    engine: Engine, name: str, *, stack: str | None = None, force: bool = False
) -> ServiceRecord:
    """Remove every instance; the definition stays. Refused for a live service unless forced."""
    async with turn.of_service(engine, name, stack) as key:
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

    def changed(service: ServiceSpec) -> ServiceSpec:
        kept = {} if replace_all else {k: v for k, v in service.environment.items() if k not in drop}
        return restored(replace(service, environment={**kept, **(put or {})}), service)

    async with turn.of_service(engine, name, stack) as key:
        locks.require_unlocked(engine, *key)
        return await change_service_spec(engine, key, changed)


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
    async with turn.of_service(engine, name, stack) as key:
        locks.require_unlocked(engine, *key)
        return await change_service_spec(engine, key, lambda service: replace(service, image=image))


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
