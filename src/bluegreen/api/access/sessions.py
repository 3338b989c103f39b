"""Sessions of browsers: who logged in with a token is known by a cookie, as long as the token is good.

They are in memory only: a controller that starts anew asks for the token again. What a browser sends by
itself proves nothing about who wrote the request, so that each form and each changing call of a session
carries a second secret (OWASP, Cross-Site Request Forgery Prevention: synchronizer token).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from fastapi import Request

from bluegreen.domain.access import Token
from bluegreen.domain.errors import UserError

SESSION = "session"

LIFETIME = 12 * 3600.0
"""Seconds that a session lasts at most."""

MOST, MOST_OF_ONE = 2_000, 50
"""Sessions that are remembered, of all tokens and of one: beyond, the oldest ends."""

FIELD, HEADER = "csrf", "x-csrf-token"
"""Where the second secret is: a field of the form, or a header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """``token`` is the id of the token it was opened with; ``csrf`` the second secret. UNIX seconds."""

    token: str
    csrf: str = field(repr=False)
    expires_at: float


class Sessions:
    """Rule: what is kept of the secret in the cookie is its SHA-256, as of a token's."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}
        self._key = secrets.token_bytes(32)

    def open(self, token: Token, now: float) -> str:
        """Open a session; return what goes into the cookie."""
        self._make_room(token.id, now)
        id = secrets.token_urlsafe(32)
        end = now + LIFETIME
        self._open[_digest(id)] = Session(
            token=token.id,
            csrf=secrets.token_urlsafe(32),
            expires_at=end if token.expires_at is None else min(end, token.expires_at),
        )
        return id

    def find(self, id: str, now: float) -> Session | None:
        found = self._open.get(_digest(id)) if id else None
        return None if found is None or now >= found.expires_at else found

    def close(self, id: str) -> None:
        self._open.pop(_digest(id), None)

    def seal(self, text: str) -> str:
        """Return what nobody but this controller, as long as it runs, can make of ``text``."""
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def _make_room(self, token: str, now: float) -> None:
        self._open = {id: one for id, one in self._open.items() if now < one.expires_at}
        own = [id for id, one in self._open.items() if one.token == token]
        for id in own[: max(0, len(own) - MOST_OF_ONE + 1)]:
            del self._open[id]
        while len(self._open) >= MOST:
            del self._open[next(iter(self._open))]


def cookie_name(request: Request) -> str:
    """Return the name of the session's cookie. The prefix has browsers refuse it from anybody but this
    host by TLS (RFC 6265bis, 4.1.3.2)."""
    return "__Host-bluegreen" if request.url.scheme == "https" else "bluegreen"


def cookie(request: Request) -> str:
    return request.cookies.get(cookie_name(request), "")


def same(wanted: str, shown: str) -> bool:
    """Whether both are the same; takes the same time however much of it is."""
    return hmac.compare_digest(wanted.encode(), shown.encode(errors="replace"))


def forged() -> UserError:
    return UserError(
        "this request did not come from a page of this controller, or from one that is out of date",
        code="forged_request",
        hint="Load the page anew and try again; a program uses a token (`Authorization: Bearer …`).",
    )


def _digest(id: str) -> str:
    return hashlib.sha256(id.encode(errors="replace")).hexdigest()
