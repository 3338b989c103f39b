"""``/v1/rollouts`` and ``/v1/events``: history, and the stream of what happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Header, Request
from pydantic_core import to_json
from sse_starlette import ServerSentEvent

from bluegreen.api.access.welcome import WhileWelcome
from bluegreen.api.context import Context, Limit, RowId, StackName, Use
from bluegreen.api.models import Promote, dump
from bluegreen.api.routes.noun import router_of
from bluegreen.api.streams import EventStream
from bluegreen.domain.events import Event
from bluegreen.domain.rollout import Rollout
from bluegreen.engine import bus, narrate
from bluegreen.engine.commands import lookup, releases, steering
from bluegreen.ports.journal import Query

router = router_of("rollouts")

LastSeen = Annotated[str | None, Header(description="the id of the last event that was read")]


@router.get("/rollouts")
async def listing(use: Use, stack: str = "", service: str = "", limit: Limit = 50) -> Any:
    """Return rollouts, newest first."""
    query = Query(stack=stack, service=service, limit=limit)
    return [with_outcome(r) for r in await use.engine.drivers.journal.rollouts(query)]


@router.get("/rollouts/{id}")
async def inspect(use: Use, id: str) -> Any:
    """Return one rollout; ``id`` may be the beginning of one."""
    return with_outcome(await lookup.rollout(use.engine, id))


@router.post("/rollouts/{id}/abort")
async def abort(use: Use, id: str) -> Any:
    """End it: clean up before traffic moved, go back afterwards."""
    return with_outcome(await releases.abort(use.engine, id))


@router.post("/rollouts/{id}/pause")
async def pause(use: Use, id: str, stack: StackName = None) -> Any:
    """Let it go no further on its own; ``id`` may be the beginning of one, or the service."""
    rollout = await lookup.rollout_of(use.engine, id, stack)
    return with_outcome(await steering.pause(use.engine, rollout))


@router.post("/rollouts/{id}/resume")
async def resume(use: Use, id: str, stack: StackName = None) -> Any:
    """Let it go on where it was paused, with the time that was left."""
    rollout = await lookup.rollout_of(use.engine, id, stack)
    return with_outcome(await steering.resume(use.engine, rollout))


@router.post("/rollouts/{id}/promote")
async def promote(use: Use, id: str, body: Promote | None = None, stack: StackName = None) -> Any:
    """Skip the rest of a canary or, once all traffic has moved, of the bake; never the proof."""
    rollout = await lookup.rollout_of(use.engine, id, stack)
    return with_outcome(await steering.promote(use.engine, rollout, skip=body.skip if body else None))


@router.get("/rollouts/{id}/stream", status_code=200, response_class=EventStream)
async def follow(
    request: Request, use: Use, id: str, until: str = "settled", last_event_id: LastSeen = None
) -> EventStream:
    """Tell what happened to one rollout since its beginning, or since ``Last-Event-ID``, and what happens
    from now on; then its outcome (``event: outcome``), then end.

    ``until=settled`` ends when users are served by the new color and nothing is left on the old
    one; ``until=final`` also waits for the end of the bake.
    """
    rollout = await lookup.rollout(use.engine, id)
    story = _story(use, rollout.id, until, _seen(last_event_id) or 0)
    return EventStream(WhileWelcome(request, use, story))


async def _story(use: Context, id: str, until: str, after: int) -> AsyncIterator[ServerSentEvent]:
    async for event in _follow(use, Query(rollout=id), after):
        if event is not None:
            yield _sse(event)
            continue
        rollout = await lookup.rollout(use.engine, id)
        if _ended(rollout, until):
            yield ServerSentEvent(event="outcome", data=_json(with_outcome(rollout)))
            return


def _ended(rollout: Rollout, until: str) -> bool:
    going_back = rollout.phase in {"reverting", "aborting"}
    return rollout.final or (until == "settled" and rollout.settled and not going_back)


@router.get("/events")
async def events(
    use: Use,
    stack: str = "",
    service: str = "",
    rollout: str = "",
    after: RowId | None = None,
    limit: Limit = 100,
) -> Any:
    """Return what happened, oldest first."""
    query = Query(stack=stack, service=service, rollout=rollout, after=after, limit=limit)
    return dump(await use.engine.drivers.journal.events(query))


@router.get("/events/stream", status_code=200, response_class=EventStream)
async def stream(
    request: Request,
    use: Use,
    stack: StackName = None,
    service: str | None = None,
    last_event_id: LastSeen = None,
) -> EventStream:
    """Tell everything from now on, or from ``Last-Event-ID``."""
    query = Query(stack=stack or "", service=service or "")
    return EventStream(WhileWelcome(request, use, _events(use, query, _seen(last_event_id))))


def _seen(id: str | None) -> int | None:
    """Return the event that a reader saw last; ``None`` where that is not said, or is no event of ours."""
    text = id or ""
    return int(text) if text.isdecimal() and len(text) < 19 else None


async def _events(use: Context, query: Query, after: int | None) -> AsyncIterator[ServerSentEvent]:
    async for event in _follow(use, query, after):
        if event is not None:
            yield _sse(event)
            await asyncio.sleep(0)  # others are to have their turn


def _follow(use: Context, query: Query, after: int | None) -> AsyncIterator[Event | None]:
    return bus.follow(use.engine.bus, use.engine.drivers.journal, query, after)


def _sse(event: Event) -> ServerSentEvent:
    return ServerSentEvent(id=str(event.id), event="progress", data=_json(dump(event)))


def with_outcome(rollout: Rollout) -> dict[str, Any]:
    """Return a rollout, and what it means: as an exit code and in words."""
    code, sentence = narrate.outcome(rollout)
    reason = narrate.reason_lines(rollout.reason) if rollout.reason is not None else []
    found: dict[str, Any] = dump(rollout)
    return found | {"outcome": {"exit_code": code, "message": sentence, "reason": reason}}


def _json(value: Any) -> str:
    return to_json(value).decode()
