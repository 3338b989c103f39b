"""Which events people want to be told of where they are, and how. Pure."""

from __future__ import annotations

import hashlib
import hmac

from bluegreen.domain.events import Event

TOLD = frozenset(
    {
        "rollout.began",
        "rollout.failed",
        "rollout.cancelled",
        "rollout.rolled_back",
        "rollout.reverted",
        "rollout.cleaned",
        "rollout.settled",
        "rollout.held",
        "rollout.paused",
        "rollout.resumed",
        "rollout.promoted",
        "service.alarm",
        "loop.alarm",
        "override.set",
        "lock.set",
        "lock.lifted",
        "stack.adopted",
        "stack.removed",
    }
)
"""What begins, ends or goes wrong; not each step between."""

_SIGNS = {"error": "🔴", "warning": "🟠", "info": "🔵"}


def worth_telling(event: Event) -> bool:
    return event.kind in TOLD and event.level != "debug"


def sentence(event: Event) -> str:
    """Return one line for a chat: how bad, where, what."""
    where = "/".join(part for part in (event.stack, event.service) if part)
    rollout = f" (rollout {event.rollout})" if event.rollout else ""
    return f"{_SIGNS.get(event.level, '')} {where or 'bluegreen'}: {event.message}{rollout}".strip()


def signature(body: bytes, secret: str) -> str:
    """Return what proves to a receiver that ``body`` is ours: HMAC-SHA256 (RFC 2104), in hex."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
