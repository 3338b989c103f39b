"""``/v1/routes``: who has the traffic, and the switch."""

from __future__ import annotations

from typing import Any

from bluegreen.api.context import StackName, Use
from bluegreen.api.models import MaintenanceBody, Switch, dump
from bluegreen.api.routes.noun import router_of
from bluegreen.api.routes.services import begun
from bluegreen.engine.commands import maintenance, traffic

router = router_of("routes")


@router.get("/routes")
async def listing(use: Use, stack: StackName = None) -> Any:
    """Return every route with its weights."""
    return dump((await use.viewer.status(stack)).routes)


@router.post("/routes/{name}/switch", status_code=202)
async def switch(use: Use, name: str, body: Switch, stack: StackName = None) -> Any:
    """Move the traffic now, gated on the target's health."""
    return begun(await traffic.switch(use.engine, name, body.target, stack=stack))


@router.put("/routes/{name}/maintenance")
async def close(use: Use, name: str, body: MaintenanceBody, stack: StackName = None) -> Any:
    """Answer 503 with a page on a route, or on all routes of a balancer; its health path stays 200."""
    wanted = body.model_dump()
    await maintenance.begin(use.engine, name, stack=stack, **wanted)
    return {"route": name, "maintenance": True, "why": body.why}


@router.delete("/routes/{name}/maintenance")
async def reopen(use: Use, name: str, stack: StackName = None) -> Any:
    """Let its traffic through again."""
    await maintenance.end(use.engine, name, stack=stack)
    return {"route": name, "maintenance": False}
