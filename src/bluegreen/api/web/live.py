"""What keeps pages up to date: a stream that says when to look again, and the counters of a chart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse, ServerSentEvent

from bluegreen.api.access import guard
from bluegreen.api.context import Context, Use
from bluegreen.api.web import looks
from bluegreen.api.web.page import PageRoute
from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.events import Event
from bluegreen.domain.naming import Color, color_of
from bluegreen.engine.commands import lookup

BEAT = 2.0
"""Seconds after which the stream says that it is still there."""

TOGETHER = 0.15
"""Seconds in which events are told as one: a rollout has several in a moment."""

router = APIRouter(tags=["dashboard"], route_class=PageRoute, include_in_schema=False)


@router.get("/live")
async def live(request: Request, use: Use) -> EventSourceResponse:
    """Tell when something changed (``changed``) or nothing did (``beat``); ``ended`` with the session."""
    return EventSourceResponse(_signs(request, use))


async def _signs(request: Request, use: Context) -> AsyncIterator[ServerSentEvent]:
    with use.engine.bus.listen() as queue:
        yield ServerSentEvent(event="beat", data="")
        while True:
            try:
                async with asyncio.timeout(BEAT):
                    told = [await queue.get()]
            except TimeoutError:
                told = []
            else:
                await asyncio.sleep(TOGETHER)
                told += [queue.get_nowait() for _ in range(queue.qsize())]
            if not _still_welcome(request, use):
                yield ServerSentEvent(event="ended", data="")
                return
            yield ServerSentEvent(event="changed" if _concern(request, told) else "beat", data="")


def _still_welcome(request: Request, use: Context) -> bool:
    """Whether what let it in is still good: a session may have ended, a token been withdrawn."""
    try:
        guard.identify(request, use)
    except BluegreenError:
        return False
    return True


def _concern(request: Request, told: list[Event]) -> bool:
    reader = guard.actor(request)
    return any(not event.stack or reader.sees(event.stack) for event in told)


@router.get("/services/{stack}/{name}/counters")
async def counters(use: Use, stack: str, name: str) -> Response:
    """Return requests and errors of each color since the balancer counts, of all pools of its routes."""
    key = lookup.service(use.engine, name, stack)
    pools = looks.pools_of(use, key)
    facts = await use.engine.switchboard.observe(pools)
    found: dict[str, Any] = {str(color): {"requests": 0, "errors": 0, "in_flight": 0} for color in Color}
    for pool in pools:
        if (seen := facts.pools.get(pool)) is not None:
            color = found[str(color_of(pool))]
            color["requests"] += seen.requests
            color["errors"] += seen.errors
            color["in_flight"] += seen.in_flight
    return JSONResponse({"at": use.engine.clock.now(), "colors": found})
