"""``/v1/locks``, and the lock of a stack or a service: who keeps out what is new, and why."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from bluegreen.api.access import guard
from bluegreen.api.context import StackName, Use
from bluegreen.api.models import LockBody, dump
from bluegreen.api.routes.noun import router_of
from bluegreen.engine.commands import locks, lookup

router = router_of("locks")


@router.get("/locks")
async def listing(use: Use, stack: StackName = None) -> Any:
    """Return the locks that hold."""
    return dump(locks.listed(use.engine, stack))


@router.put("/stacks/{name}/lock")
async def lock_stack(use: Use, request: Request, name: str, body: LockBody) -> Any:
    """Let nothing new be released of a whole stack; going back stays possible."""
    who = guard.actor(request).name
    return dump(await locks.lock(use.engine, name, who=who, why=body.why, seconds=body.seconds))


@router.delete("/stacks/{name}/lock")
async def unlock_stack(use: Use, name: str) -> Any:
    """Take the lock of a stack away, whoever gave it; locks of single services stay."""
    return dump(await locks.unlock(use.engine, name))


@router.put("/services/{name}/lock")
async def lock_service(use: Use, request: Request, name: str, body: LockBody, stack: StackName = None) -> Any:
    """Let nothing new be released of a service; going back stays possible."""
    key, who = lookup.service(use.engine, name, stack), guard.actor(request).name
    return dump(await locks.lock(use.engine, *key, who=who, why=body.why, seconds=body.seconds))


@router.delete("/services/{name}/lock")
async def unlock_service(use: Use, name: str, stack: StackName = None) -> Any:
    """Take the lock of a service away, whoever gave it."""
    return dump(await locks.unlock(use.engine, *lookup.service(use.engine, name, stack)))
