"""What all pages share: the guard in front, the look around, the headers behind.

A page is a route like those of the API. Its errors are pages, too; who is not known is sent to the log-in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from bluegreen.api import problems
from bluegreen.api.access import guard, sessions
from bluegreen.api.access.entrance import body
from bluegreen.api.access.route import GuardedRoute, Handler
from bluegreen.api.context import Context
from bluegreen.api.web import words
from bluegreen.domain.access import Actor
from bluegreen.domain.errors import BluegreenError, UserError

if TYPE_CHECKING:
    from jinja2 import Environment

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

LARGEST_FORM = 64 * 1024

UNKNOWN = frozenset({"unauthenticated", "token_expired"})

_HTMX = json.dumps({"includeIndicatorCSS": False, "history": False, "noSwap": [204, 304, "4xx", "5xx"]})

_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain"}

Form = Mapping[str, str]


class PageRoute(GuardedRoute):
    async def admit(self, request: Request) -> None:
        await guard.check(request)
        if request.method == "POST":
            request.state.form = sent = await form(request)
            guard.prove(request, sent.get(sessions.FIELD) or request.headers.get(sessions.HEADER, ""))

    def get_route_handler(self) -> Handler:
        guarded = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                answer = await guarded(request)
            except BluegreenError as error:
                answer = _refused(request, problems.discreet(request, error))
            except (RequestValidationError, ValidationError) as error:
                answer = _refused(request, _misfit(error))
            answer.headers.update(HEADERS)
            return answer

        return shown


class SharedRoute(PageRoute):
    """A page that many look at: its part that changes is rendered once for all with the same rights."""

    async def show(self, request: Request, operate: Handler) -> Response:
        if not is_part(request):
            return await operate(request)

        async def make() -> bytes:
            return bytes((await operate(request)).body)

        use: Context = request.app.state.context
        actor = guard.actor(request)
        newest = use.engine.bus.newest  # who has just acted must not see what was before
        key = (request.url.path, request.url.query, actor.role, actor.stacks, newest)
        return HTMLResponse(await use.shared.get(key, make))


async def form(request: Request) -> dict[str, str]:
    """Return the fields of a form. Raises ``UserError`` (``too_large``, ``invalid_request``)."""
    large = UserError("the form is too large", code="too_large", hint="Use the API, or fewer words.")
    sent = await body(request, LARGEST_FORM, large)
    try:
        return dict(parse_qsl(sent.decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError as error:
        raise UserError(
            "this is no form", code="invalid_request", hint="The API is described at /openapi.json."
        ) from error


def render(request: Request, template: str, code: int = 200, **values: Any) -> HTMLResponse:
    """Return a page; ``values`` are the template's."""
    use: Context = request.app.state.context
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    actor: Actor | None = getattr(request.state, "actor", None)
    part = is_part(request)
    around = {
        "part": part,
        "actor": replace(actor, name="", origin="") if actor and part else actor,  # others are shown it, too
        "csrf": "" if part else guard.secret(request),
        "about": use.about,
        "now": use.engine.clock.now(),
        "here": here,
        "path": request.url.path,
        "htmx": _HTMX,
        "asset": _asset,
    }
    text = _environment().get_template(template).render(around | values)
    return HTMLResponse(text, code, HEADERS)


def is_part(request: Request) -> bool:
    """Whether a script asks for what is new on a page, not a person for the page."""
    return "hx-request" in request.headers


def static(name: str) -> Response:
    """Return a file that pages are made of. Raises ``UserError`` (``unknown_file``)."""
    found = _files().get(name)
    if found is None:
        raise UserError(f"there is no file {name}", code="unknown_file", hint="Begin at /.")
    body, kind = found
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}  # its address changes with it
    return Response(body, media_type=kind, headers=HEADERS | kept)


def _asset(name: str) -> str:
    """Return the address of a file that pages are made of."""
    digest = hashlib.sha256(_files()[name][0]).hexdigest()[:8]
    return f"/static/{name}?v={digest}"


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    folder = files(__package__) / "static"
    found = {}
    for file in folder.iterdir():
        kind = next((kind for end, kind in _TYPES.items() if file.name.endswith(end)), None)
        if kind is not None:
            found[file.name] = (file.read_bytes(), kind)
    return found


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # who opens no page need not wait for it

    environment = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(words.FILTERS)
    return environment


def _refused(request: Request, error: BluegreenError) -> Response:
    """Return an error as a page; a log-in where that helps."""
    if error.code in UNKNOWN:
        to = "/login" + (f"?next={quote(request.url.path)}" if request.method == "GET" else "")
        if is_part(request) or "text/html" not in request.headers.get("accept", "text/html"):
            return Response(status_code=401, headers={"HX-Redirect": to})
        return RedirectResponse(to, 303)
    return render(request, "refusal.html", problems.status(error), error=error)


def _misfit(error: RequestValidationError | ValidationError) -> UserError:
    evidence = tuple((".".join(map(str, e["loc"][1:])), str(e["msg"])) for e in error.errors())
    return UserError(
        "that does not fit", code="invalid_request", evidence=evidence, hint="Go back and mend it."
    )
