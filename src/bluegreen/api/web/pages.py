"""The pages: overview, service, rollout, history, events, audit, and one that asks before each act."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from bluegreen.api.access import guard
from bluegreen.api.context import LARGEST_ID, Use
from bluegreen.api.web import looks, page
from bluegreen.api.web.acts import ACTS, Act
from bluegreen.api.web.page import SharedRoute
from bluegreen.api.web.plans import Target, require_seen
from bluegreen.domain.rollout import Rollout
from bluegreen.engine.commands import lookup
from bluegreen.ports.access import DeedQuery

router = APIRouter(route_class=SharedRoute, include_in_schema=False)

Words = Annotated[str, Query(max_length=200)]
AtMost = Annotated[int, Query(ge=1, le=500)]

SEARCHED = 500
"""Rows in which words are looked for."""


@router.get("/")
async def overview(request: Request, use: Use) -> Response:
    """Show all stacks at one look."""
    status, stacks = await looks.overview(use, guard.actor(request))
    return page.render(request, "overview.html", status=status, stacks=stacks)


@router.get("/services/{stack}/{name}")
async def service(request: Request, use: Use, stack: str, name: str) -> Response:
    """Show one service, and what can be done to it."""
    return page.render(request, "service.html", look=await looks.service(use, stack, name))


@router.get("/rollouts/{id}")
async def rollout(request: Request, use: Use, id: str) -> Response:
    """Show one rollout with all that happened."""
    found = await lookup.rollout(use.engine, id)
    return page.render(request, "rollout.html", line=await looks.line(use, found))


@router.get("/history")
async def history(
    request: Request, use: Use, stack: Words = "", service: Words = "", words: Words = "", limit: AtMost = 50
) -> Response:
    """Show rollouts, newest first."""
    some = SEARCHED if words else limit
    found = await looks.rollouts(use, guard.actor(request), stack, service, some)
    fitting = [r for r in found if _fits(words, _told(r))][:limit]
    return page.render(request, "history.html", rollouts=fitting, stack=stack, service=service, words=words)


@router.get("/events")
async def events(
    request: Request, use: Use, stack: Words = "", service: Words = "", words: Words = "", limit: AtMost = 100
) -> Response:
    """Show what happened, newest first."""
    some = SEARCHED if words else limit
    found = await looks.events(use, guard.actor(request), stack, service, some)
    fitting = [e for e in found if _fits(words, f"{e.kind} {e.message} {e.stack} {e.service}")][:limit]
    return page.render(request, "events.html", events=fitting, stack=stack, service=service, words=words)


@router.get("/audit")
async def audit(
    request: Request,
    use: Use,
    stack: Words = "",
    who: Words = "",
    words: Words = "",
    before: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    limit: AtMost = 100,
) -> Response:
    """Show who did what, newest first."""
    stacks = (stack,) if stack else guard.actor(request).stacks
    query = DeedQuery(stacks=stacks, who=who, words=words, before=before, limit=limit)
    deeds = list(await use.doorkeeper.deeds(query))
    older = deeds[-1].id if len(deeds) == limit else None
    return page.render(request, "audit.html", deeds=deeds, older=older, stack=stack, who=who, words=words)


def _fits(words: str, text: str) -> bool:
    return all(word in text.lower() for word in words.lower().split())


def _told(one: Rollout) -> str:
    reason = "" if one.reason is None else f"{one.reason.message} {one.reason.code}"
    image = "" if one.spec is None else one.spec.image
    return f"{one.id} {one.kind} {one.stack} {one.service} {one.target} {one.phase} {image} {reason}"


def _add(act: Act) -> None:
    async def ask(request: Request, use: Use) -> Response:
        plan = await act.ask(use, _target(request))
        return page.render(request, "confirm.html", plan=plan)

    async def do(request: Request, use: Use) -> Response:
        target = _target(request)
        plan = await act.ask(use, target)
        require_seen(plan, request.state.form)
        begun = await act.do(use, target, request.state.form)
        if begun is not None:
            request.state.rollout = begun.id
            return RedirectResponse(f"/services/{begun.stack}/{begun.service}", 303)
        return RedirectResponse(plan.back, 303)

    router.add_api_route(act.path, ask, methods=["GET"], name=f"ask {act.verb}", tags=[act.noun])
    router.add_api_route(act.path, do, methods=["POST"], name=act.verb, tags=[act.noun])


def _target(request: Request) -> Target:
    named = request.path_params
    who = guard.actor(request).name
    return Target(named.get("name") or named["id"], named.get("stack"), who)


for _act in ACTS:
    _add(_act)
