"""``/v1/stacks`` and the overall status."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header, Request, Response

from bluegreen.api.access import guard
from bluegreen.api.context import Use
from bluegreen.api.models import dump, parse_stack
from bluegreen.api.routes.noun import router_of
from bluegreen.domain.errors import UserError
from bluegreen.domain.naming import NAME_HINT, is_name
from bluegreen.domain.stack import StackSpec
from bluegreen.engine.commands import lookup, stacks

router = router_of("stacks")

_LONGEST = 18
"""Digits of a generation."""


@router.get("/about")
async def about(use: Use) -> Any:
    """Say which controller answers."""
    return dump(use.about)


@router.get("/status")
async def status(use: Use, stack: str | None = None) -> Any:
    """Return services, routes, instances and rollouts at one look."""
    return dump(await use.viewer.status(stack))


@router.get("/stacks")
async def listing(request: Request, use: Use) -> Any:
    """Return the stacks that are wanted, of those that who asks may see."""
    return [
        {
            "name": record.spec.name,
            "generation": record.generation,
            "changed_at": record.changed_at,
            "services": [s.name for s in record.spec.services],
            "balancers": [b.name for b in record.spec.balancers],
        }
        for record in use.engine.ledger.stacks.values()
        if guard.actor(request).sees(record.spec.name)
    ]


@router.get("/stacks/{name}")
async def inspect(use: Use, name: str, response: Response) -> Any:
    """Return one stack as it is wanted; its generation is the ``ETag``."""
    spec = lookup.stack(use.engine, name)
    response.headers["ETag"] = f'"{use.engine.ledger.stacks[name].generation}"'
    return dump(spec)


@router.post("/stacks/{name}/plan")
async def plan(use: Use, name: str, document: dict[str, Any], response: Response, prune: bool = False) -> Any:
    """Say what ``up`` would change, and change nothing; the ``ETag`` is the generation that it looked at."""
    spec = _named(document, name)
    known = use.engine.ledger.stacks.get(name)
    response.headers["ETag"] = f'"{0 if known is None else known.generation}"'
    return dump(await stacks.plan_up(use.engine, spec, prune=prune))


@router.put("/stacks/{name}")
async def up(
    use: Use,
    name: str,
    document: dict[str, Any],
    prune: bool = False,
    if_match: Annotated[str | None, Header(description="the generation you saw, as `ETag` told it")] = None,
) -> Any:
    """Make this stack what is wanted; answers once the rollouts are begun.

    With ``If-Match`` it is refused when somebody changed the stack since (``"0"``: when there is one).
    """
    spec = _named(document, name)
    outcome = await stacks.up(use.engine, spec, prune=prune, generation=_generation(if_match))
    return {"changes": dump(outcome.changes), "rollouts": dump(outcome.rollouts)}


@router.delete("/stacks/{name}")
async def down(use: Use, name: str) -> Any:
    """Remove the stack: listeners, instances, and the wish for it. Its history stays."""
    await stacks.down(use.engine, name)
    return {"removed": name}


def _generation(tag: str | None) -> int | None:
    """Return the generation of an ``If-Match``; ``None`` for ``*`` and where there is none."""
    if tag is None or tag.strip() == "*":
        return None
    number = tag.strip().removeprefix("W/").strip('"')
    if not number.isdecimal() or len(number) > _LONGEST:
        raise UserError(
            f"If-Match is no generation: {tag[:50]}",
            code="invalid_request",
            hint="Send the ETag of GET /v1/stacks/{name}, or leave it out.",
        )
    return int(number)


def _named(document: dict[str, Any], name: str) -> StackSpec:
    spec = parse_stack(document)
    if spec.name != name:
        raise UserError(
            f"the stack calls itself {spec.name}, the address {name}",
            code="name_mismatch",
            hint="Use one name.",
        )
    _require_names(spec)
    return spec


def _require_names(spec: StackSpec) -> None:
    named = [("stack", spec.name)]
    named += [("service", service.name) for service in spec.services]
    named += [("balancer", balancer.name) for balancer in spec.balancers]
    named += [("route", route.name) for route in spec.routes]
    for noun, name in named:
        if not is_name(name):
            raise UserError(f"{name!r} cannot name a {noun}", code="bad_name", hint=f"Please {NAME_HINT}.")
