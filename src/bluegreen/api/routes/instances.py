"""``/v1/instances``: rotation by hand, logs, commands inside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query, Request

from bluegreen.api.access.welcome import WhileWelcome
from bluegreen.api.context import StackName, Use
from bluegreen.api.models import Drain, Execute, ForceUp, Restart, dump
from bluegreen.api.routes.noun import router_of
from bluegreen.api.streams import TextStream
from bluegreen.domain.secrecy import struck
from bluegreen.engine.commands import instances

EXECUTE_DEADLINE = 300.0

FIRST_LINE = 2.0
"""Seconds in which a runtime says that there is no output to be had; an instance may be silent for hours."""

Tail = Annotated[int, Query(ge=0, le=100_000, description="how many of the last lines")]

router = router_of("instances")


@router.get("/instances")
async def listing(use: Use, stack: StackName = None, service: str | None = None) -> Any:
    """Return the instances, in rotation or not and why."""
    found = (await use.viewer.status(stack)).instances
    return [dump(i) for i in found if service in (None, i.service, f"{i.service}.{i.stack}")]


@router.get("/instances/{name}")
async def inspect(use: Use, name: str) -> Any:
    """Return one instance as its runtime reports it."""
    found = instances.find(use.engine, name)
    secrets = use.engine.ledger.secrets(found.stack, found.service)
    return dump(replace(found, error=struck(found.error, secrets)))


@router.post("/instances/{name}/drain")
async def drain(use: Use, name: str, body: Drain) -> Any:
    """Give it no new requests."""
    await instances.drain(use.engine, name, why=body.why, seconds=body.seconds, force=body.force)
    return {"instance": name, "rotation": "out"}


@router.post("/instances/{name}/ready")
async def ready(use: Use, name: str) -> Any:
    """Put it back into rotation."""
    await instances.ready(use.engine, name)
    return {"instance": name, "rotation": "in"}


@router.post("/instances/{name}/force-up")
async def force_up(use: Use, name: str, body: ForceUp) -> Any:
    """Keep it in rotation, whatever its checks say."""
    await instances.force_up(use.engine, name, why=body.why, seconds=body.seconds)
    return {"instance": name, "rotation": "in"}


@router.post("/instances/{name}/restart", status_code=202)
async def restart(use: Use, name: str, body: Restart) -> Any:
    """Have it drained, stopped, started, and in again once it is well."""
    await instances.restart(use.engine, name, why=body.why, force=body.force)
    return {"instance": name, "rotation": "out"}


@router.post("/instances/{name}/execute")
async def execute(use: Use, name: str, body: Execute) -> Any:
    """Run a command inside the instance."""
    instances.find(use.engine, name)
    async with asyncio.timeout(EXECUTE_DEADLINE):
        code, output = await use.engine.drivers.console.execute(name, body.command)
    return {"exit_code": code, "output": output}


@router.get("/instances/{name}/logs", status_code=200, response_class=TextStream)
async def logs(request: Request, use: Use, name: str, tail: Tail = 100, follow: bool = False) -> TextStream:
    """Return its output by line, oldest first; secrets of its environment are masked."""
    instances.find(use.engine, name)

    async def lines() -> AsyncIterator[str]:
        async for line in instances.output(use.engine, name, tail=tail, follow=follow):
            yield line + "\n"

    told = WhileWelcome(request, use, lines())
    await told.begin(FIRST_LINE)  # what the runtime refuses is still told as a problem
    return TextStream(told, told.close)
