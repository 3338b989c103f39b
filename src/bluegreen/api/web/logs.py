"""The output of a service's instances: its last lines as a page, and a stream of what comes.

Who may read it by the API may read it here: output can hold what a service's environment does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic_core import to_json
from sse_starlette import ServerSentEvent

from bluegreen.api.access.welcome import still_welcome
from bluegreen.api.context import Context, Use
from bluegreen.api.streams import EventStream
from bluegreen.api.web import page
from bluegreen.api.web.lines import MOST, batches, tame
from bluegreen.api.web.live import BEAT
from bluegreen.api.web.page import PageRoute
from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.instance import Instance
from bluegreen.engine.commands import instances, lookup

CHOICES = (100, 500, MOST)
"""How many of the last lines one can ask for."""

router = APIRouter(tags=["dashboard"], route_class=PageRoute, include_in_schema=False)

Name = Annotated[str, Query(max_length=200)]
Lines = Annotated[int, Query(ge=1, le=MOST)]


@router.get("/services/{stack}/{name}/logs")
async def logs(
    request: Request,
    use: Use,
    stack: str,
    name: str,
    instance: Name = "",
    lines: Lines = 100,
    words: Name = "",
) -> Response:
    """Show the last lines of one instance; those with all ``words``, where no script does that."""
    known = _instances(use, stack, name)
    chosen = _named(known, instance) if instance else next(iter(known), None)
    tail, trouble = await _tail(use, chosen, lines)
    fitting = [line for line in tail if all(word in line.lower() for word in words.lower().split())]
    return page.render(
        request,
        "logs.html",
        stack=stack,
        name=name,
        instances=known,
        chosen=chosen,
        lines=lines,
        choices=CHOICES,
        most=MOST,
        words=words,
        tail=fitting,
        trouble=trouble,
    )


@router.get("/services/{stack}/{name}/logs/stream")
async def stream(
    request: Request, use: Use, stack: str, name: str, instance: Name, lines: Lines = 100
) -> EventStream:
    """Tell the last lines of one instance and what it writes from then on.

    ``begin``: what is shown is out of date; ``lines``: a JSON array; ``lost``: how many were left out here;
    ``beat``: nothing new; ``over``: the output has ended, and why; ``ended``: the session has.
    """
    chosen = _named(_instances(use, stack, name), instance)
    return EventStream(_told(request, use, chosen, lines))


async def _told(
    request: Request, use: Context, chosen: Instance, lines: int
) -> AsyncIterator[ServerSentEvent]:
    source = instances.output(use.engine, chosen.name, tail=lines, follow=True)
    yield ServerSentEvent(event="begin", data="")
    try:
        async for batch in batches(source, BEAT):
            if not still_welcome(request, use):
                yield ServerSentEvent(event="ended", data="")
                return
            if batch.lost:
                yield ServerSentEvent(event="lost", data=str(batch.lost))
            kind = "lines" if batch.lines else "beat"
            yield ServerSentEvent(event=kind, data=to_json(batch.lines).decode())
    except BluegreenError as error:
        yield ServerSentEvent(event="over", data=tame(error.message))
    else:
        yield ServerSentEvent(event="over", data=f"{chosen.name} has ended")


async def _tail(use: Context, chosen: Instance | None, lines: int) -> tuple[list[str], str]:
    """Return the last lines, or why there are none."""
    if chosen is None:
        return [], ""
    try:
        return [tame(line) async for line in instances.output(use.engine, chosen.name, tail=lines)], ""
    except BluegreenError as error:
        return [], error.message


def _instances(use: Context, stack: str, name: str) -> list[Instance]:
    found = use.engine.inventory.instances(lookup.service(use.engine, name, stack))
    return sorted(found, key=lambda one: one.name)


def _named(known: list[Instance], name: str) -> Instance:
    """Raises ``UserError`` (``unknown_instance``): it may have been replaced by a release."""
    for one in known:
        if one.name == name:
            return one
    raise lookup.unknown("instance", name, (one.name for one in known))
