"""What keeps pages up to date: a stream that says when to look again, and the counters of a chart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sse_starlette import ServerSentEvent

from bluegreen.api.access import guard
from bluegreen.api.access.welcome import still_welcome
from bluegreen.api.context import Context, Use
from bluegreen.api.models import dump
from bluegreen.api.streams import EventStream
from bluegreen.api.web import looks
from bluegreen.api.web.page import PageRoute
from bluegreen.engine.commands import lookup
from bluegreen.engine.ledger import ServiceKey

BEAT = 2.0
"""Seconds after which the stream says that it is still there."""

OFTEN = 1.0
"""Seconds between two looks of a chart."""

router = APIRouter(tags=["dashboard"], route_class=PageRoute, include_in_schema=False)


@router.get("/live")
async def live(request: Request, use: Use) -> EventStream:
    """Tell when to look again (``changed``) or that all is well (``beat``); ``ended`` with the session."""
    return EventStream(_signs(request, use))


async def _signs(request: Request, use: Context) -> AsyncIterator[ServerSentEvent]:
    with use.audience.seat(use.engine.bus, guard.actor(request)) as seat:
        yield ServerSentEvent(event="beat", data="")
        looked = _now()
        while True:
            changed = await seat.told(BEAT) or _now() - looked > use.audience.pace() - BEAT / 2
            if not still_welcome(request, use):
                yield ServerSentEvent(event="ended", data="")
                return
            looked = _now() if changed else looked
            yield ServerSentEvent(event="changed" if changed else "beat", data="")


def _now() -> float:
    return asyncio.get_running_loop().time()


@router.get("/services/{stack}/{name}/counters")
async def counters(use: Use, stack: str, name: str, after: float = 0.0) -> Response:
    """Return what the balancer counted of each color of a service's routes, newer than ``after``,
    and after how many seconds (``every``) to ask again."""
    key = lookup.service(use.engine, name, stack)
    await use.shared.get(("counters", key), lambda: _count(use, key))
    every = use.audience.pace(OFTEN)
    return JSONResponse({"samples": dump(use.counters.since(key, after)), "every": every})


async def _count(use: Context, key: ServiceKey) -> bytes:
    now = use.engine.clock.now()
    if use.counters.due(key, now):
        pools = looks.pools_of(use, key)
        facts = await use.engine.switchboard.observe(pools)
        use.counters.take(key, now, (facts.pools[pool] for pool in pools if pool in facts.pools))
    return b""
