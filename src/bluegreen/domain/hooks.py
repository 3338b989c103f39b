"""Deploy hooks: what a CI system may release that can sign a message and hold no token. Pure.

A message is signed as Standard Webhooks 1.0 says: HMAC-SHA256 over ``id.timestamp.body``, the key in base64
behind ``whsec_``, the signature as ``v1,<base64>``. Unlike a token's, the secret itself has to be kept:
whoever verifies an HMAC computes it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

PREFIX = "whsec_"
VERSION = "v1,"

TOLERANCE = 300.0
"""Seconds that the clocks of sender and controller may differ."""

MOST_SIGNATURES = 8
"""Signatures that one message may carry: a sender that changes its secret sends two."""

_ID = re.compile(r"[!-\-/-~]{1,255}")  # visible ASCII but the full stop, which divides what is signed
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """The right to release one service. Times are UNIX seconds.

    ``images`` are patterns of images that it may release (empty: those of the service's own repository);
    ``variables`` the names that it may set in the service's environment.
    """

    id: str
    name: str
    stack: str
    service: str
    secret: str = field(repr=False)
    images: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    created_at: float
    created_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a sender signed, as it came: nothing of it is believed before :func:`proves` says so."""

    id: str
    timestamp: str
    signatures: str
    body: bytes

    @property
    def well_formed(self) -> bool:
        return bool(_ID.fullmatch(self.id) and _TIMESTAMP.fullmatch(self.timestamp) and self.signatures)

    @property
    def sent_at(self) -> float:
        return float(self.timestamp)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message as it is remembered: ``hook`` is the id of one, ``rollout`` the id that the rollout it asks
    for has, or will have. ``sent_at`` is the newest time that the sender signed for it."""

    hook: str
    id: str
    sent_at: float
    digest: str
    rollout: str
    taken_at: float


def issue(
    name: str,
    stack: str,
    service: str,
    now: float,
    *,
    images: tuple[str, ...] = (),
    variables: tuple[str, ...] = (),
    created_by: str = "",
) -> Hook:
    """Return a new hook with a secret of 256 random bits."""
    return Hook(
        id=secrets.token_hex(6),
        name=name,
        stack=stack,
        service=service,
        secret=PREFIX + base64.b64encode(secrets.token_bytes(32)).decode(),
        images=images,
        variables=variables,
        created_at=now,
        created_by=created_by,
    )


def sign(secret: str, id: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a message, as a sender puts it into ``webhook-signature``."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{id}.{timestamp}.".encode() + body
    return VERSION + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def proves(message: Message, secret: str) -> bool:
    """Whether one of the signatures is made with ``secret``; takes as long however much of it is right."""
    wanted = sign(secret, message.id, message.timestamp, message.body).encode()
    shown = message.signatures.split()[:MOST_SIGNATURES]
    return any([hmac.compare_digest(wanted, one.encode(errors="replace")) for one in shown])


def fresh(message: Message, now: float) -> bool:
    return abs(message.sent_at - now) <= TOLERANCE


def may_release(hook: Hook, image: str, wanted: str | None) -> bool:
    """Whether ``hook`` may release ``image`` of a service that is to have the image ``wanted``."""
    if hook.images:
        return any(fnmatchcase(image, pattern) for pattern in hook.images)
    return wanted is not None and repository(image) == repository(wanted)


def repository(image: str) -> str:
    """Return ``host:5000/shop/web`` of ``host:5000/shop/web:1.4@sha256:…``."""
    head, slash, last = image.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"
