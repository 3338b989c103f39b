"""Decides whether a request may go on: who asks, by its role, for which stack.

Called by every route (:mod:`bluegreen.api.access.route`), before the body is read.
"""

from __future__ import annotations

from contextlib import suppress
from typing import cast

from fastapi import Request
from fastapi.routing import APIRoute

from bluegreen.api.access import rights, sessions, signing, strangers
from bluegreen.api.access.entrance import SOCKET, entrance, origin
from bluegreen.api.access.rights import Operation
from bluegreen.api.context import Context
from bluegreen.domain.access import Actor, Role
from bluegreen.domain.errors import BluegreenError, UserError
from bluegreen.engine import doorkeeper
from bluegreen.engine.commands import instances, lookup


async def check(request: Request) -> None:
    """Raises ``UserError``: ``unauthenticated``, ``token_expired``, ``too_many_tries``, ``forbidden``,
    ``forged_request``, ``foreign_name``, ``foreign_page``."""
    strangers.refuse(request)
    use: Context = request.app.state.context
    asked = operation(request)
    by_signature = asked in rights.SIGNED
    actor = await signing.identify(request, use) if by_signature else identify(request, use)
    request.state.actor = actor
    if not actor.may(rights.needed(asked)):
        raise _too_little(actor, rights.needed(asked))
    request.state.stack = stack = await _stack(request, use, asked, actor)
    everywhere = asked in rights.OF_NO_STACK or (asked in rights.SIFTED and not stack)
    if actor.stacks and not everywhere and not actor.sees(stack):
        raise _elsewhere(actor)
    if actor.via == sessions.SESSION and asked in rights.NEEDED and request.method != "GET":
        prove(request, request.headers.get(sessions.HEADER, ""))


def identify(request: Request, use: Context) -> Actor:
    """Return who asks. Whoever may open the socket may do everything: its file says who that is."""
    where = origin(request.scope)
    if entrance(request.scope) == SOCKET:
        return Actor(name=where, role=Role.ADMIN, via=SOCKET, origin=where)
    if "authorization" not in request.headers and (known := _by_session(request, use)):
        return known
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise doorkeeper.unauthenticated("this address of the controller wants a token")
    return use.doorkeeper.by_token(text.strip(), where)


def secret(request: Request) -> str:
    """Return what a form of whoever asks carries to show that it came from a page of ours; empty where
    nothing that a browser sends by itself lets it in."""
    use: Context = request.app.state.context
    if entrance(request.scope) == SOCKET:
        return use.sessions.seal(f"{SOCKET} {origin(request.scope)}")
    found = use.sessions.find(sessions.cookie(request), use.engine.clock.now())
    return "" if "authorization" in request.headers or found is None else found.csrf


def prove(request: Request, shown: str) -> None:
    """Raises ``UserError`` (``forged_request``) unless ``shown`` is the :func:`secret` of whoever asks."""
    wanted = secret(request)
    if wanted and not sessions.same(wanted, shown):
        raise sessions.forged()


def _by_session(request: Request, use: Context) -> Actor | None:
    id = sessions.cookie(request)
    found = use.sessions.find(id, use.engine.clock.now())
    token = None if found is None else use.doorkeeper.valid(found.token)
    if token is None:
        use.sessions.close(id)
        return None
    return doorkeeper.actor(token, sessions.SESSION, origin(request.scope))


def operation(request: Request) -> Operation:
    route = cast(APIRoute, request.scope["route"])
    return request.method, route.path


def actor(request: Request) -> Actor:
    """Return who asks, once the guard has let it pass."""
    return cast(Actor, request.state.actor)


async def _stack(request: Request, use: Context, asked: Operation, actor: Actor) -> str:
    """Return the stack that an operation is about, empty for all or none.

    What does not exist is told by the operation itself; to whom may not see everything, without what does.
    """
    try:
        return await _named(request, use, asked)
    except BluegreenError as error:
        if actor.stacks:
            raise _unseen(actor) from error
        return ""


async def _named(request: Request, use: Context, asked: Operation) -> str:
    noun = asked[1].removeprefix("/v1").split("/")[1]
    within = request.path_params.get("stack") or request.query_params.get("stack") or None
    name = request.path_params.get("name", "")
    match noun:
        case "hooks" if asked in rights.SIGNED:
            return signing.delivered(request)[0].stack
        case "export" if asked[0] == "POST":
            return ""  # the stack is in the body, and could be any
        case "stacks" if name:
            return str(name)
        case "services" | "balancers" | "routes" if name:
            return _of_part(use, noun, name, within)
        case "instances" if name:
            return instances.find(use.engine, name).stack
        case "rollouts" if asked in rights.BY_SERVICE:
            return (await lookup.rollout_of(use.engine, request.path_params["id"], within)).stack
        case "rollouts" if "id" in request.path_params:
            return (await lookup.rollout(use.engine, request.path_params["id"])).stack
        case _:
            return within or ""


def _of_part(use: Context, noun: str, name: str, within: str | None) -> str:
    """Return the stack of a route or balancer; of a service, or what else its operations take by its name."""
    if noun == "services":
        with suppress(UserError):
            return lookup.service(use.engine, name, within)[0]
    return lookup.routes(use.engine, name, within)[0][0].name


def _too_little(actor: Actor, needed: Role) -> UserError:
    return UserError(
        f"{actor.name} is {actor.role}: this takes {needed}",
        code="forbidden",
        evidence=(("role", actor.role), ("needed", needed)),
        hint="Use a token with that role; an administrator makes one with `bluegreen token create`.",
    )


def _elsewhere(actor: Actor) -> UserError:
    stacks = ", ".join(actor.stacks)
    return UserError(
        f"{actor.name} may see {stacks} only",
        code="forbidden",
        evidence=(("stacks", stacks),),
        hint=f"Say which stack is meant: `--stack {actor.stacks[0]}`.",
    )


def _unseen(actor: Actor) -> UserError:
    return UserError(
        f"there is no such thing in what {actor.name} may see",
        code="forbidden",
        evidence=(("stacks", ", ".join(actor.stacks)),),
        hint=f"Check the name, or say which stack is meant: `--stack {actor.stacks[0]}`.",
    )
