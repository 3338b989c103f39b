"""Who may do what: roles, tokens, and what is written down of both. Pure.

A token is shown once, as ``bg_<id>_<secret>``; what is kept is the SHA-256 of the secret. That is enough for
256 random bits, which nobody can try out (slow hashes are for what people think up: OWASP, Password Storage).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from enum import StrEnum

PREFIX = "bg"


class Role(StrEnum):
    """Each may do what those before it may, too."""

    VIEWER = "viewer"
    DEPLOYER = "deployer"
    ADMIN = "admin"

    def covers(self, other: Role) -> bool:
        order = tuple(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """The right of whoever knows its secret. ``stacks`` limits it (empty: all); times are UNIX seconds."""

    id: str
    name: str
    role: Role
    digest: str = field(repr=False)
    stacks: tuple[str, ...] = ()
    created_at: float
    created_by: str = ""
    expires_at: float | None = None

    def expired(self, now: float) -> bool:
        return self.expires_at is not None and now >= self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Whoever asks: ``via`` is how it is known (``socket``, ``token``, ``session``),
    ``origin`` where it asks from."""

    name: str
    role: Role
    via: str
    origin: str = ""
    stacks: tuple[str, ...] = ()

    def may(self, role: Role) -> bool:
        return self.role.covers(role)

    def sees(self, stack: str) -> bool:
        return not self.stacks or stack in self.stacks


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One line of the audit trail: who asked for what, from where, and what became of it.

    ``outcome`` is ``done`` or the code of the error; ``id`` is given by the journal, ascending.
    """

    at: float
    who: str
    role: Role
    via: str
    origin: str
    what: str
    outcome: str
    stack: str = ""
    target: str = ""
    rollout: str = ""
    id: int = 0

    @property
    def words(self) -> str:
        """What a search looks through, in small letters."""
        return " ".join((self.who, self.what, self.target, self.stack, self.outcome)).lower()


def issue(
    name: str,
    role: Role,
    now: float,
    *,
    stacks: tuple[str, ...] = (),
    created_by: str = "",
    lifetime: float | None = None,
) -> tuple[Token, str]:
    """Return a new token, and the text that its holder shows; nobody can make that text again."""
    id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    token = Token(
        id=id,
        name=name,
        role=role,
        digest=_digest(secret),
        stacks=stacks,
        created_at=now,
        created_by=created_by,
        expires_at=None if lifetime is None else now + lifetime,
    )
    return token, f"{PREFIX}_{id}_{secret}"


def id_of(text: str) -> str:
    """Return which token ``text`` claims to be; empty when it is none."""
    prefix, _, rest = text.partition("_")
    id, _, secret = rest.partition("_")
    return id if prefix == PREFIX and id and secret else ""


def proves(text: str, token: Token) -> bool:
    """Whether ``text`` is the token's. Takes the same time however much of it is right."""
    secret = text.partition("_")[2].partition("_")[2]
    return id_of(text) == token.id and hmac.compare_digest(_digest(secret), token.digest)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
