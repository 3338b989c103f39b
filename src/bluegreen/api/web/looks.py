"""What pages show, gathered from the engine and limited to what their reader may see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bluegreen.api.context import Context
from bluegreen.api.web.timeline import Timeline, timeline
from bluegreen.domain.access import Actor
from bluegreen.domain.events import Event
from bluegreen.domain.lock import Lock
from bluegreen.domain.naming import PoolId, pool_id, route_id
from bluegreen.domain.release import Release
from bluegreen.domain.rollout import Phase, Rollout
from bluegreen.domain.routing import Routing
from bluegreen.domain.stack import RouteSpec, StackSpec
from bluegreen.engine.commands import locks, lookup
from bluegreen.engine.ledger import ServiceKey
from bluegreen.engine.views import InstanceView, RouteView, ServiceView, StatusView
from bluegreen.ports.journal import Query

WARM = frozenset({Phase.SHIFTING, Phase.BAKING, Phase.DRAINING})

FRESH = 300.0
"""Seconds for which a service's page goes on to show a rollout that has ended: whoever aborted it, or
looked away as it ended, is told what came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackLook:
    name: str
    services: tuple[ServiceView, ...]
    routes: tuple[RouteView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLook:
    """One service. ``line`` is the rollout that runs or has just ended. ``choices`` are the routes that lead
    to the service and those that could, by name, each with where else it may go; ``back`` says whether there
    is a way back, ``lock`` what keeps new releases out."""

    service: ServiceView
    routes: tuple[RouteView, ...]
    instances: tuple[InstanceView, ...]
    releases: tuple[Release, ...]
    promoted: tuple[int, ...]
    rollouts: tuple[Rollout, ...]
    line: Timeline | None
    choices: tuple[tuple[str, tuple[str, ...]], ...]
    back: bool
    lock: Lock | None
    status: StatusView


async def overview(use: Context, actor: Actor) -> tuple[StatusView, tuple[StackLook, ...]]:
    status = _sifted(await use.viewer.status(), actor)
    names = [name for name in use.engine.ledger.stacks if actor.sees(name)]
    left = [s.stack for s in status.services if s.stack not in names]
    stacks = [
        StackLook(
            name=name,
            services=tuple(s for s in status.services if s.stack == name),
            routes=tuple(r for r in status.routes if r.stack == name),
        )
        for name in dict.fromkeys((*names, *left))
    ]
    return status, tuple(sorted(stacks, key=lambda one: one.name))


async def service(use: Context, stack: str, name: str) -> ServiceLook:
    """Raises ``UserError`` (``unknown_service``)."""
    key = lookup.service(use.engine, name, stack)
    status = await use.viewer.status(key[0])
    record = use.engine.ledger.services[key]
    releases = await use.engine.ledger.releases(*key)
    history = await use.engine.drivers.journal.rollouts(Query(stack=key[0], service=key[1], limit=8))
    active = use.engine.active(key)
    known = {release.number for release in releases}
    former = [n for n in record.promoted[:-1] if n in known]
    choices = tuple((r.name, targets(use, stack, r)) for r in _routes_of(use, key))
    return ServiceLook(
        service=next(s for s in status.services if s.name == key[1]),
        routes=tuple(r for r in status.routes if r.name in {route for route, _ in choices}),
        instances=tuple(i for i in status.instances if i.service == key[1]),
        releases=tuple(reversed(releases))[:10],
        promoted=record.promoted,
        rollouts=tuple(history),
        line=await _latest(use, active, history),
        choices=choices,
        back=bool(former) or is_warm(active),
        lock=locks.covering(use.engine, *key),
        status=status,
    )


async def _latest(use: Context, active: Rollout | None, history: Sequence[Rollout]) -> Timeline | None:
    found = active or next(iter(history), None)
    if found is None or (found.ended_at and use.engine.clock.now() - found.ended_at > FRESH):
        return None
    return await line(use, found)


def is_warm(active: Rollout | None) -> bool:
    return active is not None and active.source is not None and active.phase in WARM


async def line(use: Context, rollout: Rollout) -> Timeline:
    events = await use.engine.drivers.journal.events(Query(rollout=rollout.id, limit=200))
    return timeline(rollout, events, use.engine.clock.now())


def targets(use: Context, stack: str, route: RouteSpec) -> tuple[str, ...]:
    """Return where a route may be moved: services that run, or the other color of its only one."""
    services = use.engine.ledger.services
    live = [view for view in _live(use.engine.switchboard.routing, stack, route)]
    running = [
        name
        for name in route.candidates
        if (record := services.get((stack, name))) is not None and record.releases and not record.stopped
    ]
    there = {pool.split(".")[1] for pool in live}
    others = tuple(name for name in running if name not in there)
    if others or len(route.candidates) != 1:
        return others
    record = services.get((stack, route.candidates[0]))
    colors = () if record is None else tuple(record.releases)
    pools = {color: pool_id(stack, route.candidates[0], color) for color in colors}
    return tuple(str(color) for color, pool in pools.items() if pool not in live)


def pools_of(use: Context, key: ServiceKey) -> tuple[PoolId, ...]:
    """Return the pools between which the traffic of a service's routes moves."""
    names = {key[1]} | {name for route in _routes_of(use, key) for name in route.candidates}
    known = use.engine.switchboard.routing.pools
    return tuple(pool for pool in known if pool.split(".")[0] == key[0] and pool.split(".")[1] in names)


async def rollouts(use: Context, actor: Actor, stack: str, service: str, limit: int) -> list[Rollout]:
    """Return rollouts, newest first, of what ``actor`` may see."""
    journal = use.engine.drivers.journal
    found = [
        rollout
        for name in _scope(actor, stack)
        for rollout in await journal.rollouts(Query(stack=name, service=service, limit=limit))
    ]
    return sorted(found, key=lambda r: r.created_at, reverse=True)[:limit]


async def events(use: Context, actor: Actor, stack: str, service: str, limit: int) -> list[Event]:
    """Return events, newest first, of what ``actor`` may see."""
    journal = use.engine.drivers.journal
    found = [
        event
        for name in _scope(actor, stack)
        for event in await journal.events(Query(stack=name, service=service, limit=limit))
    ]
    return sorted(found, key=lambda e: e.id, reverse=True)[:limit]


def _scope(actor: Actor, stack: str) -> Iterable[str]:
    return (stack,) if stack else actor.stacks or ("",)


def _sifted(status: StatusView, actor: Actor) -> StatusView:
    if not actor.stacks:
        return status
    return replace(
        status,
        services=tuple(s for s in status.services if actor.sees(s.stack)),
        routes=tuple(r for r in status.routes if actor.sees(r.stack)),
        instances=tuple(i for i in status.instances if actor.sees(i.stack)),
        rollouts=tuple(r for r in status.rollouts if actor.sees(r.stack)),
        boxes=tuple(b for b in status.boxes if actor.sees(b.stack)),
        locks=tuple(lock for lock in status.locks if actor.sees(lock.stack)),
    )


def _routes_of(use: Context, key: ServiceKey) -> list[RouteSpec]:
    return [route for route in _spec(use, key[0]).routes if key[1] in route.candidates]


def _spec(use: Context, stack: str) -> StackSpec:
    return use.engine.ledger.spec(stack)


def _live(routing: Routing, stack: str, route: RouteSpec) -> tuple[PoolId, ...]:
    known = routing.routes.get(route_id(stack, route.name))
    return () if known is None else known.live
