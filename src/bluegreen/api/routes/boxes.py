"""``/v1/boxes``: balancers on other boxes, those that follow and those that are missed."""

from __future__ import annotations

from typing import Any

from bluegreen.api.context import StackName, Use
from bluegreen.api.models import dump
from bluegreen.api.routes.noun import router_of
from bluegreen.engine.commands import boxes

router = router_of("boxes")


@router.get("/boxes")
async def listing(use: Use, stack: StackName = None) -> Any:
    """Return the balancers on other boxes, once for each stack that they follow."""
    return dump((await use.viewer.status(stack)).boxes)


@router.delete("/boxes/{name}")
async def forget(use: Use, name: str, stack: StackName = None) -> Any:
    """Miss a box no more that is gone for good: releases end old colors without it again."""
    return {"forgotten": name, "stacks": list(await boxes.forget(use.engine, name, stack=stack))}
