"""Finding what a person named, with a did-you-mean when it is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from bluegreen.domain.errors import UserError
from bluegreen.domain.rollout import Rollout
from bluegreen.domain.stack import RouteSpec, StackSpec
from bluegreen.engine.engine import Engine
from bluegreen.engine.ledger import ServiceKey
from bluegreen.ports.journal import Query


def stack(engine: Engine, name: str) -> StackSpec:
    if name not in engine.ledger.stacks:
        raise unknown("stack", name, engine.ledger.stacks)
    return engine.ledger.stacks[name].spec


def service(engine: Engine, name: str, in_stack: str | None = None) -> ServiceKey:
    """Return the key of the service called ``name`` (or ``name.stack``, Docker Cloud's way)."""
    known = [key for key in engine.ledger.services if in_stack in (None, key[0])]
    found = [key for key in known if name in (key[1], f"{key[1]}.{key[0]}", f"{key[0]}/{key[1]}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(
            f"{len(found)} stacks have a service {name}",
            code="ambiguous",
            evidence=tuple(("service", f"{key[1]}.{key[0]}") for key in found),
            hint=f"Say which: `{name}.{found[0][0]}`, or give --stack.",
        )
    raise unknown("service", name, (key[1] for key in known))


def routes(engine: Engine, name: str, in_stack: str | None = None) -> list[tuple[StackSpec, RouteSpec]]:
    """Return the routes meant by ``name``: a route, or all routes of a balancer."""
    stacks = [r.spec for r in engine.ledger.stacks.values() if in_stack in (None, r.spec.name)]
    pairs = [(s, r) for s in stacks for r in s.routes]
    full = [(s, r) for s, r in pairs if name in (r.name, f"{r.name}.{s.name}", f"{s.name}/{r.name}")]
    found = full or [
        (s, r) for s, r in pairs if name in (r.balancer, f"{r.balancer}.{s.name}", f"{s.name}/{r.balancer}")
    ]
    if len({s.name for s, _ in found}) > 1:
        raise UserError(
            f"several stacks have a route {name}",
            code="ambiguous",
            evidence=tuple(("route", f"{r.name}.{s.name}") for s, r in found),
            hint=f"Say which: `{name}.{found[0][0].name}`, or give --stack.",
        )
    if not found:
        raise unknown("route", name, (r.name for _, r in pairs))
    return found


def is_balancer(engine: Engine, name: str, in_stack: str | None = None) -> bool:
    plain = name.partition(".")[0].rpartition("/")[2]
    return any(
        record.spec.balancer(plain) is not None
        for record in engine.ledger.stacks.values()
        if in_stack in (None, record.spec.name)
    )


async def rollout(engine: Engine, id: str) -> Rollout:
    """Return the rollout with this id, or with this beginning of an id."""
    known = [r for r in engine.rollouts() if r.id.startswith(id)]
    if not known:
        known = list(await engine.drivers.journal.rollouts(Query(rollout=id, limit=2)))
    if len(known) == 1:
        return known[0]
    if known:
        raise UserError(
            f"{id} is the beginning of several rollouts", code="ambiguous", hint="Give more of it."
        )
    raise unknown("rollout", id, (r.id for r in engine.rollouts()))


async def rollout_of(engine: Engine, name: str, in_stack: str | None = None) -> Rollout:
    """Return the rollout with this id (or beginning of one), or the one under way of this service.

    A service goes first: somebody who may have called one ``cafe`` means it. Raises ``UserError``:
    ``unknown_rollout``, ``ambiguous``, and ``too_late`` where nothing of the service is under way.
    """
    try:
        key = service(engine, name, in_stack)
    except UserError as error:
        if error.code == "ambiguous":
            raise
        found = await rollout(engine, name)
        if in_stack not in (None, found.stack):
            raise unknown(
                "rollout", name, (r.id for r in engine.rollouts() if r.stack == in_stack)
            ) from error
        return found
    active = engine.active(key)
    if active is None:
        raise UserError(
            f"no rollout of {name} is under way",
            code="too_late",
            hint=f"See how the last one ended: `bluegreen history {key[1]}`.",
        )
    return active


def unknown(noun: str, name: str, known: Iterable[str]) -> UserError:
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(names) or 'none'}."
    return UserError(f"there is no {noun} {name}", code=f"unknown_{noun}", hint=hint)
