"""``/v1/tokens``, ``/v1/audit`` and ``/v1/whoami``: who may come in, and what they did."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request

from bluegreen.api.access import guard
from bluegreen.api.context import LARGEST_ID, Limit, Use
from bluegreen.api.models import NewToken, dump
from bluegreen.api.routes.noun import router_of
from bluegreen.domain.access import Actor, Token
from bluegreen.domain.errors import UserError
from bluegreen.ports.access import DeedQuery

DAY = 86_400.0

router = router_of("access")


@router.get("/whoami")
async def whoami(request: Request) -> Any:
    """Say who you are to this controller, and what you may do."""
    return dump(guard.actor(request))


@router.get("/tokens")
async def tokens(request: Request, use: Use) -> Any:
    """Return the tokens, oldest first; nobody can read their secrets."""
    of_all(guard.actor(request))
    now = use.engine.drivers.clock.now()
    return [_shown(token) | {"expired": token.expired(now)} for token in use.doorkeeper.tokens()]


@router.post("/tokens", status_code=201)
async def create_token(request: Request, use: Use, body: NewToken) -> Any:
    """Make a token. Its text is in this answer and never shown again."""
    request.state.target = body.name
    by = guard.actor(request)
    of_all(by)
    lifetime = None if body.days is None else body.days * DAY
    token, text = await use.doorkeeper.issue(
        body.name, body.role, by, stacks=tuple(sorted(set(body.stacks))), lifetime=lifetime
    )
    return {"token": _shown(token), "text": text}


@router.delete("/tokens/{name}")
async def withdraw_token(request: Request, use: Use, name: str) -> Any:
    """Withdraw a token, by name or id: it opens nothing from now on."""
    of_all(guard.actor(request))
    return {"withdrawn": _shown(await use.doorkeeper.withdraw(name))}


@router.get("/audit")
async def audit(
    request: Request,
    use: Use,
    stack: Annotated[str, Query(description="only this stack")] = "",
    who: str = "",
    words: Annotated[str, Query(max_length=200, description="words to look for")] = "",
    before: Annotated[
        int | None, Query(ge=1, le=LARGEST_ID, description="only what is older than this line")
    ] = None,
    limit: Limit = 100,
) -> Any:
    """Return who did what, from where, and what became of it; newest first."""
    stacks = (stack,) if stack else guard.actor(request).stacks
    query = DeedQuery(stacks=stacks, who=who, words=words, before=before, limit=limit)
    return dump(list(await use.doorkeeper.deeds(query)))


def _shown(token: Token) -> dict[str, Any]:
    found: dict[str, Any] = dump(token)
    return {key: value for key, value in found.items() if key != "digest"}


def of_all(actor: Actor) -> None:
    """Raises ``UserError`` (``forbidden``) for whoever may see some stacks only."""
    if actor.stacks:
        raise UserError(
            f"{actor.name} may see {', '.join(actor.stacks)} only: this is for those who may see all",
            code="forbidden",
            hint="Use the token of an administrator without a limit, or the controller's socket.",
        )
