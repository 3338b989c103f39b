"""Switch, links, redeploy of a balancer: everything that moves traffic between what already runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from bluegreen.domain import begin
from bluegreen.domain.errors import UserError
from bluegreen.domain.live import live_color, live_pool
from bluegreen.domain.naming import Color, PoolId, RouteId, pool_id, route_id, service_of
from bluegreen.domain.rollout import Happened, Kind, Phase, Rollout
from bluegreen.domain.spec import Link
from bluegreen.domain.stack import RouteSpec, StackSpec, candidates
from bluegreen.domain.targets import aim
from bluegreen.engine.commands import locks, lookup, turn
from bluegreen.engine.commands.releases import change_stack, in_progress, make_room, new_id
from bluegreen.engine.engine import Engine


async def switch(
    engine: Engine, route: str, target: str, *, stack: str | None = None, kind: Kind = Kind.SWITCH
) -> Rollout | None:
    """Move a route (or all routes of a balancer) to ``target``, a service or ``blue``/``green``.

    Returns ``None`` when it is there already. Raises ``UserError``: ``unknown_target``,
    ``target_absent`` (nothing of it runs), ``rollout_in_progress``, ``locked``.
    """
    async with turn.of_routes(engine, route, stack) as found:
        return await _switch(engine, route, found, target, kind)


Found = list[tuple[StackSpec, RouteSpec]]


async def _switch(engine: Engine, named: str, found: Found, target: str, kind: Kind) -> Rollout | None:
    """Move the routes ``found``, whose stack's lock is held."""
    spec, keys = found[0][0], tuple(route_id(stack.name, route.name) for stack, route in found)
    pool = _target_pool(engine, spec, [route for _, route in found], keys, target)
    if all(engine.switchboard.routing.routes[key].live == (pool,) for key in keys):
        await _aim(engine, spec, keys, named, service_of(pool))
        return None
    back = await _go_back(engine, spec.name, pool)
    if back is not None:
        return back
    if kind is not Kind.ROLLBACK:
        locks.require_unlocked(engine, spec.name, *_concerned(engine, keys, pool))
    await _close_bakes(engine, spec.name, keys)
    await make_room(engine, (spec.name, service_of(pool)))
    moving = tuple(k for k in keys if engine.switchboard.routing.routes[k].live != (pool,))
    return await _begin(engine, engine.ledger.spec(spec.name), moving, pool, kind) if moving else None


async def _aim(engine: Engine, spec: StackSpec, keys: tuple[RouteId, ...], named: str, service: str) -> None:
    """Have the definition say where the traffic is already."""
    if aim(spec, keys, service) != spec:
        words = f"{named} is to send its traffic to {service}"
        await change_stack(engine, spec.name, lambda stack: aim(stack, keys, service), words)


def _concerned(engine: Engine, keys: tuple[RouteId, ...], pool: PoolId) -> set[str]:
    """Return the services that get traffic by a switch, or lose it."""
    live = (pool for key in keys for pool in engine.switchboard.routing.routes[key].live)
    return {service_of(pool), *map(service_of, live)}


async def _begin(
    engine: Engine, stack: StackSpec, keys: tuple[RouteId, ...], pool: PoolId, kind: Kind
) -> Rollout:
    key = (stack.name, service_of(pool))
    rollout = begin.switch(
        id=new_id(),
        now=engine.clock.now(),
        stack=stack,
        routes=keys,
        target=pool,
        record=engine.ledger.services[key],
        routing=engine.switchboard.routing,
        kind=kind,
    )
    for instance in engine.inventory.instances(key):
        engine.examiner.renew(instance)  # only a probe from now on may open the gate
    await engine.begin(rollout)
    return rollout


async def rollback(engine: Engine, route: str, *, stack: str | None = None) -> Rollout:
    """Move a route back to the pool that had its traffic before the last switch."""
    found = lookup.routes(engine, route, stack)
    spec = found[0][0]
    keys = {route_id(spec.name, r.name) for _, r in found}
    for active in engine.rollouts():
        warm = active.phase in {Phase.SHIFTING, Phase.BAKING} and active.source is not None
        if warm and keys & set(active.routes):
            return await engine.loop((active.stack, active.service)).ask(Happened.ROLLED_BACK)
    former = await engine.last_source(spec.name, keys)
    if former is None:
        raise UserError(
            f"{route} was never switched: there is no color to go back to",
            code="no_way_back",
            hint=f"`bluegreen switch {route} SERVICE` moves it to a service you name.",
        )
    began = await switch(engine, route, service_of(former), stack=spec.name, kind=Kind.ROLLBACK)
    if began is None:
        raise UserError(
            f"{route} is on {service_of(former)} already",
            code="already_live",
            hint="Nothing needs to be done.",
        )
    return began


async def set_links(
    engine: Engine, balancer: str, links: Sequence[Link], *, stack: str | None = None
) -> StackSpec:
    """Replace a balancer's links: the definition only. Traffic moves at its redeploy."""
    async with turn.of_routes(engine, balancer, stack) as found:
        spec, name = found[0][0], found[0][1].balancer
        for link in links:
            if spec.service(link.service) is None:
                raise lookup.unknown("service", link.service, (s.name for s in spec.services))
        locks.require_unlocked(engine, spec.name, *(link.service for link in links))
        moved = {route.name for _, route in found}
        shown = ", ".join(f"{link.service}:{link.alias}" for link in links)
        words = f"{name} is to be linked to {shown}; it must be redeployed"
        return await change_stack(engine, spec.name, lambda now: _linked(now, name, moved, links), words)


def _linked(spec: StackSpec, balancer: str, moved: Collection[str], links: Sequence[Link]) -> StackSpec:
    """Return ``spec`` with ``balancer`` linked by ``links``, and its routes ``moved`` aimed at the first."""
    linked = tuple(link.service for link in links)
    new = candidates(linked, frozenset(service.name for service in spec.services))

    def aimed(route: RouteSpec) -> RouteSpec:
        return replace(route, target=linked[0], candidates=tuple(dict.fromkeys((*route.candidates, *new))))

    return replace(
        spec,
        routes=tuple(aimed(route) if route.name in moved else route for route in spec.routes),
        balancers=tuple(
            replace(one, links=tuple(links)) if one.name == balancer else one for one in spec.balancers
        ),
    )


async def redeploy(engine: Engine, balancer: str, *, stack: str | None = None) -> Rollout | None:
    """Converge a balancer to its links, in place: prove, switch, drain. ``None``: nothing to do."""
    lookup.routes(engine, balancer, stack)
    await engine.compose()
    async with turn.of_routes(engine, balancer, stack) as found:
        targets = {route.target for _, route in found}
        if len(targets) > 1:
            raise UserError(
                f"the routes of {balancer} have different targets: {', '.join(sorted(targets))}",
                code="ambiguous",
                hint="Switch them one by one: `bluegreen switch ROUTE SERVICE`.",
            )
        return await _switch(engine, balancer, found, targets.pop(), Kind.SWITCH)


def _target_pool(
    engine: Engine,
    stack: StackSpec,
    routes: list[RouteSpec],
    keys: tuple[RouteId, ...],
    target: str,
) -> PoolId:
    if target in set(Color):
        live = live_pool(engine.switchboard.routing, keys[0])
        name = service_of(live) if live is not None else routes[0].target
        record = engine.ledger.services[(stack.name, name)]
        color = Color(target)
        if color not in record.releases:
            raise _absent(f"{name}.{color}", name)
        return pool_id(stack.name, name, color)
    plain = target.partition(".")[0]
    allowed = {name for route in routes for name in route.candidates}
    if plain not in allowed:
        raise lookup.unknown("target", target, allowed)
    record = engine.ledger.services[(stack.name, plain)]
    live_one = live_color(record)
    if live_one is None or record.stopped:
        raise _absent(plain, plain)
    return pool_id(stack.name, plain, live_one)


def _absent(what: str, service: str) -> UserError:
    return UserError(
        f"{what} cannot take the traffic: nothing of it runs",
        code="target_absent",
        hint=f"Start it first: `bluegreen service start {service}` or `bluegreen deploy {service}`.",
    )


async def _go_back(engine: Engine, stack: str, pool: PoolId) -> Rollout | None:
    """A switch to the warm source of a running rollout is that rollout's way back."""
    for active in engine.rollouts():
        theirs = active.stack == stack and active.source == pool and active.starts_target
        if theirs and active.phase in {Phase.SHIFTING, Phase.BAKING, Phase.DRAINING}:
            return await engine.loop((active.stack, active.service)).ask(Happened.ROLLED_BACK)
    return None


async def _close_bakes(engine: Engine, stack: str, keys: tuple[RouteId, ...]) -> None:
    """End the watch of a settled switch on these routes; refuse while anything else moves them."""
    for active in engine.rollouts():
        if active.final or active.stack != stack or not set(keys) & set(active.routes):
            continue
        closable = active.phase is Phase.BAKING and active.settled and not active.retire_source
        if active.paused or not closable:
            raise in_progress(active)
        with suppress(UserError):  # it went on by itself meanwhile
            await engine.loop((active.stack, active.service)).ask(Happened.CLOSED)
        await engine.until(active.id, lambda rollout: rollout.final, timeout=10)
