"""Deploy, redeploy, roll back, abort: everything that begins or ends a rollout of a service."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from bluegreen.domain import begin
from bluegreen.domain.errors import UserError
from bluegreen.domain.events import Event
from bluegreen.domain.live import live_routes
from bluegreen.domain.release import Release, ServiceRecord
from bluegreen.domain.rollout import BEFORE_TRAFFIC, Happened, Kind, Phase, Reason, Rollout
from bluegreen.domain.secrecy import restored
from bluegreen.domain.spec import ServiceSpec
from bluegreen.domain.stack import StackSpec
from bluegreen.engine.commands import locks, lookup, turn
from bluegreen.engine.engine import Engine
from bluegreen.engine.ledger import ServiceKey
from bluegreen.ports.journal import SaveStack, StackRecord


def new_id() -> str:
    return uuid.uuid4().hex[:12]


async def deploy(
    engine: Engine,
    name: str,
    *,
    stack: str | None = None,
    image: str | None = None,
    environment: Mapping[str, str] | None = None,
    id: str = "",
) -> Rollout:
    """Begin a new release of a service, as the rollout ``id`` (a new one if empty); returns at once.

    Raises ``UserError``: ``rollout_in_progress`` while another one has not settled, ``locked``."""
    async with turn.of_service(engine, name, stack) as key:
        locks.require_unlocked(engine, *key)
        await make_room(engine, key)
        spec = engine.ledger.spec(key[0])
        before = wanted(spec, key[1])
        changed = replace(
            before,
            image=image or before.image,
            environment={**before.environment, **(environment or {})},
        )
        rollout = await new_deploy(engine, spec, restored(changed, before), id)
        await engine.begin(rollout)
        return rollout


async def new_deploy(engine: Engine, stack: StackSpec, spec: ServiceSpec, id: str = "") -> Rollout:
    """Return the rollout that deploys ``spec``, not yet begun."""
    releases = await engine.ledger.releases(stack.name, spec.name)
    return begin.deploy(
        id=id or new_id(),
        now=engine.clock.now(),
        stack=stack,
        spec=spec,
        record=engine.ledger.services[(stack.name, spec.name)],
        release=begin.next_number(releases),
        routing=engine.switchboard.routing,
    )


async def rollback(engine: Engine, name: str, *, stack: str | None = None, to: int | None = None) -> Rollout:
    """Go back: in one switch while the old color is warm, else by deploying the former release."""
    key = lookup.service(engine, name, stack)
    active = engine.active(key)
    warm = active is not None and active.source is not None and active.phase in _WARM
    if warm and active is not None and to in (None, active.source_release):
        return await engine.loop(key).ask(Happened.ROLLED_BACK)
    async with turn.of_service(engine, key[1], key[0]):
        await make_room(engine, key)
        record = engine.ledger.services[key]
        release = await _former(engine, record, to)
        spec = engine.ledger.spec(key[0])
        rollout = begin.deploy(
            id=new_id(),
            now=engine.clock.now(),
            stack=spec,
            spec=release.spec,
            record=record,
            release=release.number,
            routing=engine.switchboard.routing,
            kind=Kind.ROLLBACK,
        )
        await engine.begin(rollout)
        return rollout


_WARM = frozenset({Phase.SHIFTING, Phase.BAKING, Phase.DRAINING})


async def _former(engine: Engine, record: ServiceRecord, to: int | None) -> Release:
    releases = {r.number: r for r in await engine.ledger.releases(record.stack, record.name)}
    current = record.promoted[-1] if record.promoted else None
    ways = [n for n in reversed(record.promoted) if n != current and n in releases]
    number = to if to is not None else next(iter(ways), None)
    if number is None or number not in releases:
        known = ", ".join(map(str, sorted(set(ways)))) or "none"
        asked = "an earlier release" if to is None else f"release {to}"
        raise UserError(
            f"{record.name} cannot go back to {asked}",
            code="no_way_back",
            hint=f"Releases that had the traffic before: {known}.",
        )
    if number == current:
        raise UserError(
            f"release {number} of {record.name} is live already",
            code="already_live",
            hint="Nothing needs to be done.",
        )
    return releases[number]


async def abort(engine: Engine, id: str) -> Rollout:
    """End a rollout: nothing has moved yet → clean up; traffic has moved → go back at once."""
    rollout = await lookup.rollout(engine, id)
    if rollout.final:
        raise UserError(
            f"rollout {rollout.id} has ended: {rollout.phase}",
            code="too_late",
            hint=f"To go back to the release before: `bluegreen rollback {rollout.service}`.",
        )
    reason = Reason(code="aborted", message="aborted by hand")
    return await engine.loop((rollout.stack, rollout.service)).ask(Happened.CANCELLED, reason)


async def make_room(engine: Engine, key: ServiceKey) -> None:
    """Return once no rollout of the service is under way; an open bake is ended, others refuse.

    Raises ``UserError`` (``rollout_in_progress``) with who, since when and how to end it.
    """
    active = engine.active(key)
    if active is None:
        return
    if active.paused:
        raise in_progress(active)  # a person keeps its old color; what a machine deploys does not end that
    ending = {Phase.DRAINING, Phase.RETIRING, Phase.ABORTING, Phase.REVERTING}
    if active.phase is Phase.BAKING and active.settled:
        happened = Happened.SUPERSEDED if active.retire_source else Happened.CLOSED
        with suppress(UserError):  # it went on by itself meanwhile
            await engine.loop(key).ask(happened)
    elif active.phase not in ending:
        raise in_progress(active)
    await engine.until(active.id, lambda rollout: rollout.final, timeout=active.policy.drain + 60)


def in_progress(active: Rollout) -> UserError:
    what = "no traffic has moved" if active.phase in BEFORE_TRAFFIC else "traffic is moving"
    wait = "Wait for it (`bluegreen status --watch`)"
    if active.paused:
        what = "a person has paused it"
        wait = f"Let it go on (`bluegreen resume {active.id}`, `bluegreen promote {active.id}`)"
    return UserError(
        f"a rollout of {active.service} is under way: {active.phase}, {what}",
        code="rollout_in_progress",
        evidence=(("rollout", active.id), ("target", active.target)),
        hint=f"{wait}, or end it: `bluegreen abort {active.id}`.",
    )


async def change_service_spec(
    engine: Engine, key: ServiceKey, change: Callable[[ServiceSpec], ServiceSpec]
) -> ServiceSpec:
    """Record what ``change`` makes of what is wanted of a service; return it.

    Raises ``UserError`` (``unknown_service``) where its stack file has it no more.
    """

    def changed(stack: StackSpec) -> StackSpec:
        after = change(wanted(stack, key[1]))
        return replace(stack, services=tuple(after if s.name == key[1] else s for s in stack.services))

    return wanted(await change_stack(engine, key[0], changed, f"{key[1]}: definition changed"), key[1])


async def change_stack(
    engine: Engine, name: str, change: Callable[[StackSpec], StackSpec], message: str
) -> StackSpec:
    """Record what ``change`` makes of the stack as it then is; return it. The caller holds its lock."""
    now = engine.clock.now()

    def changed(record: StackRecord) -> StackRecord:
        return replace(record, spec=change(record.spec), changed_at=now)

    return (await engine.ledger.change_stack(name, changed, (_told(name, message, now),))).spec


async def add_stack(engine: Engine, stack: StackSpec, message: str) -> None:
    """Record a stack that is not known yet."""
    now = engine.clock.now()
    record = StackRecord(spec=stack, generation=1, changed_at=now)
    await engine.ledger.commit((SaveStack(record),), (_told(stack.name, message, now),))


def _told(stack: str, message: str, now: float) -> Event:
    return Event(kind="stack.changed", message=message, at=now, stack=stack)


def wanted(stack: StackSpec, name: str) -> ServiceSpec:
    """Return what is wanted of a service. Raises ``UserError`` (``unknown_service``)."""
    spec = stack.service(name)
    if spec is None:
        raise UserError(
            f"{name} is no longer in the stack file",
            code="unknown_service",
            hint="Remove what is left of it: `bluegreen up --prune`.",
        )
    return spec


def is_live(engine: Engine, key: ServiceKey) -> bool:
    """Return whether any route sends traffic to the service now."""
    return bool(live_routes(engine.ledger.spec(key[0]), key[1], engine.switchboard.routing))
