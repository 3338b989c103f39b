"""``/v1/boxes``: balancers on other boxes, those that follow and those that are missed."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from bluegreen.api.access.route import GuardedRoute
from bluegreen.api.context import StackName, Use
from bluegreen.api.models import dump
from bluegreen.engine.commands import boxes

router = APIRouter(prefix="/v1", tags=["boxes"], route_class=GuardedRoute)


@router.get("/boxes")
async def listing(use: Use, stack: StackName = None) -> Any:
    """Return the balancers on other boxes, once for each stack that they follow."""
    return dump((await use.viewer.status(stack)).boxes)


@router.delete("/boxes/{name}")
async def forget(use: Use, name: str, stack: StackName = None) -> Any:
    """Miss a box no more that is gone for good: releases end old colors without it again."""
    return {"forgotten": name, "stacks": list(await boxes.forget(use.engine, name, stack=stack))}
