"""What keeps pages up to date: a stream that says when to look again, and the counters of a chart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse, ServerSentEvent

from bluegreen.api.access import guard
from bluegreen.api.context import Context, Use
from bluegreen.api.models import dump
from bluegreen.api.web import looks
from bluegreen.api.web.page import PageRoute
from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.events import Event
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
async def counters(use: Use, stack: str, name: str, after: float = 0.0) -> Response:
    """Return what the balancer counted of each color of a service's routes, newer than ``after``."""
    key = lookup.service(use.engine, name, stack)
    now = use.engine.clock.now()
    if use.counters.due(key, now):
        pools = looks.pools_of(use, key)
        facts = await use.engine.switchboard.observe(pools)
        use.counters.take(key, now, (facts.pools[pool] for pool in pools if pool in facts.pools))
    return JSONResponse({"samples": dump(use.counters.since(key, after))})
