"""The way in with a token, the way out, and the files that pages are made of: open to everybody."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from bluegreen.api import problems
from bluegreen.api.access import sessions
from bluegreen.api.access.entrance import SOCKET, entrance, origin
from bluegreen.api.access.route import DONE
from bluegreen.api.context import Context, Use
from bluegreen.api.web import page
from bluegreen.domain.access import Deed, Token
from bluegreen.domain.errors import BluegreenError

router = APIRouter(tags=["dashboard"], include_in_schema=False)

_BEFORE = "bluegreen-login"
"""The cookie that ties a log-in form to its browser: nobody can log others in as himself."""

Next = Annotated[str, Query(max_length=2000)]


@router.get("/login")
async def ask(request: Request, next: Next = "/") -> Response:
    """Ask for a token; by the socket none is wanted."""
    if entrance(request.scope) == SOCKET:
        return RedirectResponse("/", 303, page.HEADERS)
    return _asked(request, next)


@router.post("/login")
async def log_in(request: Request, use: Use) -> Response:
    """Open a session with a token."""
    to = "/"
    try:
        sent = await page.form(request)
        to = sent.get("next", "/")
        nonce = request.cookies.get(_BEFORE, "")
        if not nonce or not sessions.same(_sealed(use, nonce), sent.get(sessions.FIELD, "")):
            raise sessions.forged()
        token = use.doorkeeper.shown(sent.get("token", "").strip(), origin(request.scope))
    except BluegreenError as error:
        return _asked(request, to, error)
    use.sessions.close(sessions.cookie(request))
    id = use.sessions.open(token, use.engine.clock.now())
    await use.doorkeeper.note(_deed(request, use, token))
    answer = RedirectResponse(_within(to), 303, page.HEADERS)
    answer.delete_cookie(_BEFORE, path="/login")
    _set(request, answer, sessions.cookie_name(request), id, "/")
    return answer


@router.post("/logout")
async def log_out(request: Request, use: Use) -> Response:
    """End the session."""
    id = sessions.cookie(request)
    known = use.sessions.find(id, use.engine.clock.now())
    sent = await page.form(request)
    if known is not None and sessions.same(known.csrf, sent.get(sessions.FIELD, "")):
        use.sessions.close(id)
    return RedirectResponse("/login", 303, page.HEADERS)


@router.get("/static/{name}")
async def static(name: str) -> Response:
    return page.static(name)


def _asked(request: Request, to: str, error: BluegreenError | None = None) -> Response:
    use: Context = request.app.state.context
    nonce = secrets.token_urlsafe(16)
    status = 200 if error is None else problems.status(error)
    answer = page.render(
        request, "login.html", status, error=error, next=_within(to), field=_sealed(use, nonce)
    )
    _set(request, answer, _BEFORE, nonce, "/login")
    if status == 429 and error is not None:
        answer.headers.update(dict(error.evidence))
    return answer


def _set(request: Request, answer: Response, name: str, value: str, path: str) -> None:
    secure = request.url.scheme == "https"
    answer.set_cookie(name, value, path=path, secure=secure, httponly=True, samesite="strict")


def _sealed(use: Context, nonce: str) -> str:
    return use.sessions.seal(f"login {nonce}")


def _within(to: str) -> str:
    """Return ``to`` if it is a place of this controller, else its first page."""
    fine = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()
    return to if fine else "/"


def _deed(request: Request, use: Context, token: Token) -> Deed:
    return Deed(
        at=use.engine.clock.now(),
        who=token.name,
        role=token.role,
        via=sessions.SESSION,
        origin=origin(request.scope),
        what="log in (dashboard)",
        outcome=DONE,
    )
