"""Up, down, plan: a whole stack."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from bluegreen.domain.composition import compose
from bluegreen.domain.concealment import restored
from bluegreen.domain.errors import BluegreenError, UserError
from bluegreen.domain.events import Event
from bluegreen.domain.naming import route_id
from bluegreen.domain.plan import Action, Planned, live_release, plan
from bluegreen.domain.release import ServiceRecord
from bluegreen.domain.rollout import FINAL, Phase, Rollout
from bluegreen.domain.spec import config_hash
from bluegreen.domain.stack import RouteSpec, StackSpec
from bluegreen.engine.adoption import adopt
from bluegreen.engine.commands import locks, turn
from bluegreen.engine.commands.releases import add_stack, change_stack, in_progress, make_room, new_deploy
from bluegreen.engine.engine import Engine
from bluegreen.ports.journal import Change, DropStack, SaveRollout, SaveService


@dataclass(frozen=True, slots=True)
class Outcome:
    """What ``up`` set going."""

    changes: tuple[Planned, ...]
    rollouts: tuple[Rollout, ...]


_NOTHING = frozenset({Action.KEEP, Action.ORPHAN})


async def plan_up(engine: Engine, spec: StackSpec, *, prune: bool = False) -> tuple[Planned, ...]:
    known = engine.ledger.stacks.get(spec.name)
    spec = _with_secrets(engine, spec)
    records = {k[1]: r for k, r in engine.ledger.services.items() if k[0] == spec.name}
    live = {}
    for name, record in records.items():
        release = live_release(record, await engine.ledger.releases(spec.name, name))
        if release is not None:
            live[name] = release
    before = known.spec if known is not None else None
    return plan(spec, before, records, live, engine.switchboard.routing, prune=prune)


async def up(
    engine: Engine, spec: StackSpec, *, prune: bool = False, generation: int | None = None
) -> Outcome:
    """Make ``spec`` what is wanted and begin whatever rollouts that takes; returns at once.

    Traffic between declared colors is not moved: that is ``switch`` or ``redeploy``. With ``generation``
    it is refused (``stack_changed``) unless that is the stored one, 0 for a stack that is new, or what is
    stored is ``spec`` already. Raises what the balancer says of its ports before anything has changed.
    """
    async with engine.lock(spec.name):
        spec = _with_secrets(engine, spec)
        _refuse_if_changed(engine, spec, generation)
        if spec.name not in engine.ledger.stacks:
            await adopt(engine, spec)
        changes = await plan_up(engine, spec, prune=prune)
        kept = _keep_aim(engine, spec)
        _refuse_if_locked(engine, kept, changes)
        for change in changes:
            _refuse_if_moving(engine, spec, change)
        _refuse_to_drop_routes(engine, spec)
        before = engine.ledger.stacks.get(spec.name)
        await _prove_structure(engine, kept)
        names = ", ".join(service.name for service in spec.services) or "no service"
        kept = await _save(engine, spec, f"stack {spec.name} is wanted: {names}")
        await engine.ledger.commit(lambda: _records(engine, kept))
        begun = await _begin(engine, kept, before.spec if before is not None else None, changes)
        for change in changes:
            if change.action is Action.REMOVE:
                await _remove_service(engine, spec.name, change.service)
        for key in engine.ledger.services:
            if key[0] == spec.name:
                engine.loop(key).wake()
        return Outcome(changes, begun)


async def _save(engine: Engine, spec: StackSpec, message: str) -> StackSpec:
    """Record the stack, aimed where the traffic is by then; return it."""
    if spec.name not in engine.ledger.stacks:
        await add_stack(engine, spec, message)
        return spec
    return await change_stack(engine, spec.name, lambda _: _keep_aim(engine, spec), message)


def _refuse_if_changed(engine: Engine, spec: StackSpec, seen: int | None) -> None:
    """Whoever wanted the very same was only faster: RFC 9110, 13.1.1, has that count as done."""
    known = engine.ledger.stacks.get(spec.name)
    stored = 0 if known is None else known.generation
    if seen not in (None, stored) and (known is None or known.spec != _keep_aim(engine, spec)):
        raise UserError(
            f"the stack {spec.name} was changed since you looked at it",
            code="stack_changed",
            evidence=(("you saw generation", str(seen)), ("stored now", str(stored))),
            hint="Nothing was done. Look at what would change now (`bluegreen plan`), then `up` again.",
        )


def _refuse_if_locked(engine: Engine, spec: StackSpec, changes: tuple[Planned, ...]) -> None:
    """What is locked may be named by ``up`` as it is, so that the rest of its file can be changed.

    A file that is stored already may still release something: what was set and not yet redeployed.
    """
    known = engine.ledger.stacks.get(spec.name)
    moved = {change.service for change in changes if change.action not in _NOTHING}
    if known is not None and (moved or known.spec != spec):
        differing = {one.name for one in spec.services if one != known.spec.service(one.name)}
        locks.require_unlocked(engine, spec.name, *differing, *moved)


def _with_secrets(engine: Engine, spec: StackSpec) -> StackSpec:
    """Return ``spec`` with the stored values of secrets that it has as they are shown."""
    known = engine.ledger.stacks.get(spec.name)
    return restored(spec, None if known is None else known.spec)


def _keep_aim(engine: Engine, spec: StackSpec) -> StackSpec:
    """Return ``spec`` with its routes aimed where the traffic was sent since the file was written, and
    closed where a person has closed them."""
    known = engine.ledger.stacks.get(spec.name)
    if known is None:
        return spec
    before = {route.name: route for route in known.spec.routes}
    return replace(spec, routes=tuple(_kept(route, before.get(route.name)) for route in spec.routes))


def _kept(route: RouteSpec, before: RouteSpec | None) -> RouteSpec:
    if before is None:
        return route
    target = before.target if before.target in route.candidates else route.target
    return replace(route, target=target, maintenance=before.maintenance)


def _refuse_if_moving(engine: Engine, spec: StackSpec, change: Planned) -> None:
    """A service whose rollout is under way may be named by ``up`` only with the same definition."""
    active = engine.active((spec.name, change.service))
    if active is None or active.phase in FINAL or (active.settled and not active.paused):
        return
    known = engine.ledger.stacks.get(spec.name)
    before = known.spec.service(change.service) if known is not None else None
    after = spec.service(change.service)
    if before is None or after is None or config_hash(before) != config_hash(after):
        raise in_progress(active)


def _refuse_to_drop_routes(engine: Engine, spec: StackSpec) -> None:
    """A route whose traffic a rollout is moving cannot leave the file meanwhile."""
    kept = {route_id(spec.name, route.name) for route in spec.routes}
    for active in engine.rollouts():
        if active.stack == spec.name and not active.final and not set(active.routes) <= kept:
            raise in_progress(active)


async def _prove_structure(engine: Engine, spec: StackSpec) -> None:
    others = [r.spec for name, r in engine.ledger.stacks.items() if name != spec.name]
    if spec.balancers or engine.switchboard.routing.listeners:
        await engine.switchboard.change(lambda routing: compose([*others, spec], routing))


def _records(engine: Engine, spec: StackSpec) -> tuple[Change, ...]:
    changes: list[Change] = []
    for service in spec.services:
        record = engine.ledger.services.get((spec.name, service.name))
        if record is None:
            record = ServiceRecord(stack=spec.name, name=service.name)
        wanted = replace(
            record,
            replicas=service.replicas,
            stopped=False,
            generation=record.generation + 1,
        )
        changes.append(SaveService(wanted))
    return tuple(changes)


async def _begin(
    engine: Engine, spec: StackSpec, before: StackSpec | None, changes: tuple[Planned, ...]
) -> tuple[Rollout, ...]:
    """Begin the rollouts that the changes need; one that is under way already is that rollout.

    All new ones begin in one moment: none may find that what it depends on has no rollout.
    """
    known: list[Rollout] = []
    new: list[Rollout] = []
    for change in changes:
        if change.action not in {Action.CREATE, Action.DEPLOY}:
            continue
        key = (spec.name, change.service)
        active = engine.active(key)
        if active is not None and not active.settled and active.phase is not Phase.ABORTING:
            known.append(active)
            continue
        await make_room(engine, key)
        service = spec.service(change.service)
        assert service is not None, change
        former = before.service(change.service) if before is not None else None
        new.append(replace(await new_deploy(engine, spec, service), former=former))
    await engine.begin(*new)
    return (*known, *new)


async def _remove_service(engine: Engine, stack: str, name: str) -> None:
    key = (stack, name)
    await engine.ledger.change_service(key, lambda record: replace(record, releases={}))
    engine.loop(key).wake()


async def down(engine: Engine, name: str) -> None:
    """Take a stack away: its listeners first, then its instances, then the memory of it."""
    async with turn.of_stack(engine, name):
        locks.require_unlocked(engine, name, *(lock.service for lock in locks.listed(engine, name)))
        for key in [k for k in engine.ledger.services if k[0] == name]:
            await engine.end_loop(key)
        others = [r.spec for key, r in engine.ledger.stacks.items() if key != name]
        await engine.switchboard.compose(others)
        await _remove_instances(engine, name)
        now = engine.clock.now()
        ended = [
            replace(rollout, phase=Phase.ABORTED, ended_at=now, version=rollout.version + 1)
            for key, rollout in engine.ledger.active.items()
            if key[0] == name
        ]
        event = Event(kind="stack.removed", message=f"stack {name} is removed", at=now, stack=name)
        await engine.ledger.commit((*(SaveRollout(rollout) for rollout in ended), DropStack(name)), (event,))
        if not others:
            await engine.drivers.balancer.stop()
            engine.switchboard.forget()


async def _remove_instances(engine: Engine, stack: str) -> None:
    found = await engine.drivers.runtime.list(stack)
    outcomes = await asyncio.gather(
        *(engine.performer.remove(instance.name, 30.0) for instance in found), return_exceptions=True
    )
    errors = [o for o in outcomes if isinstance(o, BaseException)]
    if errors:
        raise next((e for e in errors if isinstance(e, BluegreenError)), errors[0])
    await engine.inventory.resync()
