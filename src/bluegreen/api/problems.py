"""Errors as ``application/problem+json`` (RFC 9457), with the code, evidence and hint of the CLI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from bluegreen.api.context import Context
from bluegreen.domain.errors import BluegreenError, Bug, OutcomeUnknown, Permanent, Temporary, UserError
from bluegreen.domain.secrecy import struck

log = structlog.get_logger()

_STATUS: dict[type[BluegreenError], int] = {
    UserError: 400,
    Temporary: 503,
    Permanent: 502,
    OutcomeUnknown: 504,
    Bug: 500,
}
_CONFLICTS = frozenset(
    {
        "rollout_in_progress",
        "too_late",
        "live_color",
        "last_instance",
        "already_live",
        "token_exists",
        "box_follows",
        "locked",
        "not_locked",
        "hook_exists",
        "delivery_reused",
        "delivery_repeated",
    }
)
_OF_CODE = {
    "unauthenticated": 401,
    "token_expired": 401,
    "forbidden": 403,
    "forged_request": 403,
    "foreign_name": 403,
    "foreign_page": 403,
    "stack_changed": 412,
    "too_large": 413,
    "too_many_tries": 429,
    "request_in_progress": 409,
    "idempotency_key_reused": 422,
    "hook_not_allowed": 403,
    **dict.fromkeys(_CONFLICTS, 409),
}


class Problem(BaseModel):
    """What is refused, and why (RFC 9457): ``title`` is for people, ``code`` for programs, ``evidence`` pairs
    of a label and a text, ``exit_code`` that of the command line."""

    type: str
    title: str
    code: str
    group: str
    exit_code: int
    evidence: list[list[str]]
    hint: str


DESCRIBED: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Refused, or failed: why, with the evidence and what to do",
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
    }
}
"""How every operation answers when it does not do what it was asked for, for the API's description."""


def install(app: FastAPI) -> None:
    app.add_exception_handler(BluegreenError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ValidationError, _invalid)
    app.add_exception_handler(HTTPException, _unroutable)
    app.add_exception_handler(Exception, _unexpected)


async def _known(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BluegreenError)
    return answer(discreet(request, error))


def discreet(request: Request, error: BluegreenError) -> BluegreenError:
    """Return ``error`` without any secret of any service: a runtime may have said one in it."""
    use: Context = request.app.state.context
    secrets = use.engine.ledger.secrets()
    if not secrets:
        return error
    return type(error)(
        struck(error.message, secrets),
        code=error.code,
        hint=struck(error.hint, secrets),
        evidence=tuple((label, struck(text, secrets)) for label, text in error.evidence),
    )


def answer(
    error: BluegreenError, code: int | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return an error as a response, with the headers that its status asks for (RFC 9110).

    ``code`` and ``headers`` are those of whoever knows better than the error does.
    """
    code = status(error) if code is None else code
    sent = {"WWW-Authenticate": "Bearer"} if code == 401 else {}
    sent |= {label: text for label, text in error.evidence if label == "Retry-After"}
    sent |= headers or {}
    return JSONResponse(document(error), code, sent, media_type="application/problem+json")


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError | ValidationError)
    evidence = tuple((".".join(map(str, e["loc"])), str(e["msg"])) for e in error.errors())
    refused = UserError(
        "the request does not fit the API",
        code="invalid_request",
        evidence=evidence,
        hint="The API is described at /docs and /openapi.json.",
    )
    return answer(refused, 422)


async def _unroutable(request: Request, error: Exception) -> JSONResponse:
    """An address or a method that the API does not have, or a body that cannot be read at all."""
    assert isinstance(error, HTTPException)
    words = {
        404: f"there is nothing at {request.url.path[:200]}",
        405: f"{request.method} is not offered at {request.url.path[:200]}",
    }
    refused = UserError(
        words.get(error.status_code, str(error.detail)),
        code="invalid_request" if error.status_code not in words else "unknown_address",
        hint="The API is described at /docs and /openapi.json.",
    )
    return answer(refused, error.status_code, error.headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    """Our own fault: the log gets the traceback, the client a problem that says so."""
    log.error("api.fault", path=request.url.path, exc_info=error)
    fault = Bug(
        "the controller failed on this request",
        code="controller_fault",
        evidence=(("fault", type(error).__name__),),
        hint="Traffic was left as it is. Please report this with the end of the controller's log.",
    )
    return answer(fault)


def status(error: BluegreenError) -> int:
    if error.code in _OF_CODE:
        return _OF_CODE[error.code]
    if error.code.startswith("unknown_"):
        return 404
    return next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)


def document(error: BluegreenError) -> dict[str, object]:
    return {
        "type": f"about:blank#{error.code}",
        "title": error.message,
        "code": error.code,
        "group": error.group,
        "exit_code": error.exit_code,
        "evidence": [list(pair) for pair in error.evidence],
        "hint": error.hint,
    }
