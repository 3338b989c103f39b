"""Who sent a message to a hook: known by its signature, before anything of the body is understood.

Called by the guard, for the operations of :data:`bluegreen.api.access.rights.SIGNED`. By the unix socket a
signature is wanted, too.
"""

from __future__ import annotations

from fastapi import Request

from bluegreen.api.access.entrance import body, origin
from bluegreen.api.context import Context
from bluegreen.domain.access import Actor, Role
from bluegreen.domain.errors import UserError
from bluegreen.domain.hooks import Hook, Message

LARGEST = 64 * 1024
"""Bytes of a message: an image and a few variables have less than one in a hundred of them."""

HOOK = "hook"


async def identify(request: Request, use: Context) -> Actor:
    """Return whose hook signed the request; put hook and message into its state.

    Raises ``UserError``: ``too_many_tries``, ``too_large``, ``unauthenticated``.
    """
    where = origin(request.scope)
    use.hooks.may_try(where)
    message = Message(
        id=request.headers.get("webhook-id", ""),
        timestamp=request.headers.get("webhook-timestamp", ""),
        signatures=request.headers.get("webhook-signature", ""),
        body=await body(request, LARGEST, _too_large()),
    )
    hook = use.hooks.proven(request.path_params["name"], message, where)
    request.state.delivered = hook, message
    return Actor(name=f"hook {hook.name}", role=Role.DEPLOYER, via=HOOK, origin=where, stacks=(hook.stack,))


def delivered(request: Request) -> tuple[Hook, Message]:
    """Return what :func:`identify` found."""
    found: tuple[Hook, Message] = request.state.delivered
    return found


def _too_large() -> UserError:
    return UserError(
        "the message is too large for a hook",
        code="too_large",
        evidence=(("largest", f"{LARGEST} bytes"),),
        hint="Send an image and, where the hook may set them, variables.",
    )
