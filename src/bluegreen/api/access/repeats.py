"""A request that comes again with the same ``Idempotency-Key`` gets the same answer and begins nothing.

Called by the class of every route, after the guard (docs/adr, "Idempotency-Key"). A key belongs to whoever
sent it. What was answered is in the journal; where a controller died before it answered, its journal says
whether the rollout was begun (:mod:`bluegreen.engine.errand`), and only what was not is carried out now.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import structlog
from fastapi import Request, Response
from fastapi.responses import JSONResponse

from bluegreen.api.access import guard, rights
from bluegreen.api.context import Context
from bluegreen.api.models import dump
from bluegreen.domain.answer import Answer
from bluegreen.domain.errors import BluegreenError, OutcomeUnknown, Temporary, UserError
from bluegreen.domain.rollout import Rollout
from bluegreen.engine import errand
from bluegreen.engine.commands import lookup
from bluegreen.ports.journal import Query

Operate = Callable[[Request], Coroutine[Any, Any, Response]]

HEADER = "Idempotency-Key"
REPEATED = "Idempotency-Replayed"

_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,255})"?')
_PAGE = 1000

log = structlog.get_logger()


async def once(request: Request, operate: Operate) -> Response:
    """Carry the request out, unless it was already.

    Raises ``UserError`` (``idempotency_key_reused``), ``Temporary`` (``request_in_progress``),
    ``OutcomeUnknown`` (``request_interrupted``), and what the operation raises.
    """
    if HEADER not in request.headers or not rights.takes_key(guard.operation(request)):
        return await operate(request)
    use: Context = request.app.state.context
    asked = await _asked(request, use)
    own = (asked.who, asked.key)
    busy = own in use.underway
    use.underway.add(own)
    try:
        known = await use.engine.drivers.answers.keep_answer(asked)
        if known is not None:
            again = await _known(request, use, known, asked, busy)
            if again is not None:
                request.state.repeated = True
                return again
        return await _first(request, use, known or asked, operate)
    finally:
        if not busy:
            use.underway.discard(own)


async def _asked(request: Request, use: Context) -> Answer:
    text = request.headers[HEADER]
    key = _KEY.fullmatch(text.strip())
    if key is None:
        raise UserError(
            f"this is no {HEADER}: {text[:50]!r}",
            code="invalid_request",
            hint="Send 1 to 255 visible ASCII characters, for example a random UUID.",
        )
    who = guard.actor(request)
    parts = (request.method, request.url.path, request.url.query, (await request.body()).hex())
    newest = await use.engine.drivers.journal.events(Query(limit=1))
    return Answer(
        who=f"{who.via} {who.name}",
        key=key[1],
        request=hashlib.sha256("\n".join(parts).encode()).hexdigest(),
        at=use.engine.clock.now(),
        after=newest[-1].id if newest else 0,
    )


async def _known(request: Request, use: Context, known: Answer, asked: Answer, busy: bool) -> Response | None:
    """Return what was answered; ``None`` where the controller died before it began anything."""
    if known.request != asked.request:
        raise UserError(
            f"the {HEADER} {asked.key} was used for another request",
            code="idempotency_key_reused",
            hint="Give each command a key of its own; send the same one only with the same request.",
        )
    if known.status:
        return Response(known.body, known.status, {REPEATED: "true"}, "application/json")
    if busy:
        raise Temporary(
            f"the request with the {HEADER} {asked.key} is being carried out",
            code="request_in_progress",
            evidence=(("Retry-After", "1"),),
            hint="Ask again in a second, with the same key.",
        )
    rollout = await _begun(use, known)
    if rollout is not None:
        told = dump(rollout)
        body = told if "rollouts" in request.url.path else {"rollout": told}
        return JSONResponse(body, 202, {REPEATED: "true"})
    if guard.operation(request) in rights.NOT_TWICE:
        raise OutcomeUnknown(
            "the controller ended while it carried this request out: it may have been done",
            code="request_interrupted",
            hint="Look before you repeat it, with a new key: `bluegreen ps` and `bluegreen events`.",
        )
    return None


async def _begun(use: Context, known: Answer) -> Rollout | None:
    """Return the rollout that a request began before its controller died."""
    after = known.after
    while events := await use.engine.drivers.journal.events(Query(after=after, limit=_PAGE)):
        for event in events:
            if event.data.get(errand.FIELD) == known.errand:
                return await lookup.rollout(use.engine, event.rollout)
        after = events[-1].id
    return None


async def _first(request: Request, use: Context, asked: Answer, operate: Operate) -> Response:
    answers = use.engine.drivers.answers
    try:
        with errand.under(asked.errand):
            response = await operate(request)
    except Exception:
        await answers.drop_answer(asked)  # a refusal began nothing: the same key may be tried again
        raise
    try:
        await answers.finish_answer(
            replace(asked, status=response.status_code, body=bytes(response.body).decode())
        )
    except (BluegreenError, TimeoutError) as error:
        log.error("answer.unwritten", error=str(error), key=asked.key)
    return response
