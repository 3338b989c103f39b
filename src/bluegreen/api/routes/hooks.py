"""``/v1/hooks``: releases by whoever can sign a message, and who that is."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from bluegreen.api.access import guard, signing
from bluegreen.api.context import StackName, Use
from bluegreen.api.models import Deploy, NewHook, dump
from bluegreen.api.routes.access import of_all
from bluegreen.api.routes.noun import router_of
from bluegreen.api.routes.rollouts import with_outcome
from bluegreen.domain.hooks import Hook
from bluegreen.engine.commands import hooks as commands
from bluegreen.engine.commands import lookup

router = router_of("hooks")

_HEADERS = {
    "webhook-id": "which message this is: the same id is the same rollout",
    "webhook-timestamp": "when this attempt was signed, UNIX seconds",
    "webhook-signature": "`v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64; several with spaces",
}
# Declared by hand: what is checked is the body as it came, before it is anything of FastAPI's.
_SIGNED = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Deploy"}}},
    },
    "parameters": [
        {"name": name, "in": "header", "required": True, "description": what, "schema": {"type": "string"}}
        for name, what in _HEADERS.items()
    ],
}


@router.get("/hooks")
async def hooks(request: Request, use: Use) -> Any:
    """Return the hooks, oldest first, without their secrets."""
    of_all(guard.actor(request))
    return [_shown(hook) for hook in use.hooks.all()]


@router.post("/hooks", status_code=201)
async def create_hook(request: Request, use: Use, body: NewHook, stack: StackName = None) -> Any:
    """Make a hook for one service. Its secret is in this answer and never shown again."""
    request.state.target = body.name
    by = guard.actor(request)
    of_all(by)
    key = lookup.service(use.engine, body.service, stack)
    hook = await use.hooks.create(
        body.name, *key, by, images=tuple(body.images), variables=tuple(sorted(set(body.variables)))
    )
    return {"hook": _shown(hook), "secret": hook.secret}


@router.delete("/hooks/{name}")
async def remove_hook(request: Request, use: Use, name: str) -> Any:
    """Remove a hook: what it signed is refused from now on."""
    of_all(guard.actor(request))
    return {"removed": _shown(await use.hooks.remove(name))}


@router.post("/hooks/{name}", status_code=202, openapi_extra=_SIGNED)
async def deliver(request: Request, response: Response, use: Use, name: str) -> Any:
    """Begin the release that a signed message asks for; once, however often it comes.

    Signed as Standard Webhooks says. Sent again, with the same `webhook-id` and signed anew, it answers with
    how the same rollout stands.
    """
    hook, message = signing.delivered(request)
    wish = Deploy.model_validate_json(message.body)
    rollout = await commands.deliver(
        use.engine, use.hooks, hook, message, image=wish.image, environment=wish.environment
    )
    response.headers["Location"] = f"/v1/rollouts/{rollout.id}"
    return {"rollout": with_outcome(rollout), "follow": f"/v1/rollouts/{rollout.id}/stream"}


def _shown(hook: Hook) -> dict[str, Any]:
    found: dict[str, Any] = dump(hook)
    return {key: value for key, value in found.items() if key != "secret"}
