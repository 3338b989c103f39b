"""The Engine's events, for as long as somebody reads, over every death of the daemon.

The engine's loops read this through the runtime. The rule: after every connection ``RESYNC`` comes
first, when the Engine has already begun to report, so that nothing falls between the two.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.instance import RuntimeEvent, RuntimeEventKind
from bluegreen.drivers.runtimes.docker import reading
from bluegreen.drivers.runtimes.docker.gateway import Body, Gateway
from bluegreen.drivers.runtimes.docker.sightings import Sightings
from bluegreen.drivers.runtimes.docker.streams import json_lines

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds between attempts to reach a daemon that is away."""

SILENCE = 15.0
"""Seconds without an event after which the daemon is asked whether it is still there."""

FILTERS = {"type": ["container", "network"], "event": ["create", *reading.KINDS]}
"""No filter by label: messages about networks carry none."""


async def events(gateway: Gateway, sightings: Sightings) -> AsyncIterator[RuntimeEvent]:
    """Yield what happens to instances, ``RESYNC`` first and after every gap. Never ends by itself."""
    pause = FIRST_PAUSE
    while True:
        try:
            async with aclosing(_connection(gateway, sightings)) as connection:
                async for event in connection:
                    pause = FIRST_PAUSE
                    yield event
        except (BluegreenError, ValueError):
            # A daemon that is away is not news to act on: nothing is known, so nothing changes.
            pause = min(pause * 2, LONGEST_PAUSE)
        gateway.renegotiate()
        await asyncio.sleep(pause)


async def _connection(gateway: Gateway, sightings: Sightings) -> AsyncGenerator[RuntimeEvent]:
    """Yield the events of one connection until it ends. Raises when it breaks or is garbled."""
    async with gateway.stream("GET", "events", what="events", params={"filters": FILTERS}) as body:
        with sightings.connected():
            yield RuntimeEvent(kind=RuntimeEventKind.RESYNC, at=time.time(), detail=gateway.where)
            async with aclosing(json_lines(_attended(gateway, body))) as messages:
                while True:
                    with sightings.caught_up():
                        message = await anext(messages, None)
                    if message is None:
                        return
                    event = _digest(message, sightings)
                    if event is not None:
                        yield event


async def _attended(gateway: Gateway, body: Body) -> AsyncGenerator[bytes]:
    """Yield what comes; when nothing comes for long, make sure that somebody is at the other end."""
    while True:
        try:
            async with asyncio.timeout(SILENCE):
                chunk = await body.read()
        except TimeoutError:
            await gateway.call("GET", "version", what="events")
            continue
        if not chunk:
            return
        yield chunk


def _digest(message: dict[str, Any], sightings: Sightings) -> RuntimeEvent | None:
    container = reading.container_id(message)
    owner = reading.owner(message, sightings.owners)
    if owner is None:
        return None
    sightings.owners[container] = owner
    sightings.doubt(container)
    if message.get("Action") == "die":
        sightings.ended(container, reading.exit_code(message))
    event = reading.event(message, sightings.owners)
    if message.get("Action") == "destroy":
        sightings.forget(container)
    return event
