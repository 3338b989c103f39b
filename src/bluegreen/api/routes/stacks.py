"""``/v1/stacks`` and the overall status."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from bluegreen.api.access.route import GuardedRoute
from bluegreen.api.context import Use
from bluegreen.api.models import dump, parse_stack
from bluegreen.domain.errors import UserError
from bluegreen.domain.stack import StackSpec
from bluegreen.engine.commands import lookup, stacks

router = APIRouter(prefix="/v1", tags=["stacks"], route_class=GuardedRoute)


@router.get("/about")
async def about(use: Use) -> Any:
    """Say which controller answers."""
    return dump(use.about)


@router.get("/status")
async def status(use: Use, stack: str | None = None) -> Any:
    """Return services, routes, instances and rollouts at one look."""
    return dump(await use.viewer.status(stack))


@router.get("/stacks")
async def listing(use: Use) -> Any:
    """Return the stacks that are wanted."""
    return [
        {
            "name": record.spec.name,
            "generation": record.generation,
            "changed_at": record.changed_at,
            "services": [s.name for s in record.spec.services],
            "balancers": [b.name for b in record.spec.balancers],
        }
        for record in use.engine.ledger.stacks.values()
    ]


@router.get("/stacks/{name}")
async def inspect(use: Use, name: str) -> Any:
    """Return one stack as it is wanted."""
    return dump(lookup.stack(use.engine, name))


@router.post("/stacks/{name}/plan")
async def plan(use: Use, name: str, document: dict[str, Any], prune: bool = False) -> Any:
    """Say what ``up`` would change, and change nothing."""
    spec = _named(document, name)
    return dump(await stacks.plan_up(use.engine, spec, prune=prune))


@router.put("/stacks/{name}")
async def up(use: Use, name: str, document: dict[str, Any], prune: bool = False) -> Any:
    """Make this stack what is wanted; answers once the rollouts are begun."""
    outcome = await stacks.up(use.engine, _named(document, name), prune=prune)
    return {"changes": dump(outcome.changes), "rollouts": dump(outcome.rollouts)}


@router.delete("/stacks/{name}")
async def down(use: Use, name: str) -> Any:
    """Remove the stack: listeners, instances, and the wish for it. Its history stays."""
    await stacks.down(use.engine, name)
    return {"removed": name}


def _named(document: dict[str, Any], name: str) -> StackSpec:
    spec = parse_stack(document)
    if spec.name != name:
        raise UserError(
            f"the stack calls itself {spec.name}, the address {name}",
            code="name_mismatch",
            hint="Use one name.",
        )
    return spec
