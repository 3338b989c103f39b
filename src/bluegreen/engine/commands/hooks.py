"""What a hook asks for: one release of its service, once, however often the message comes."""

from __future__ import annotations

from collections.abc import Mapping

from bluegreen.domain.errors import UserError
from bluegreen.domain.hooks import Delivery, Hook, Message, may_release
from bluegreen.domain.rollout import Rollout
from bluegreen.engine.commands import lookup, releases
from bluegreen.engine.engine import Engine
from bluegreen.engine.hooks import Hooks
from bluegreen.ports.journal import Query


async def deliver(
    engine: Engine,
    hooks: Hooks,
    hook: Hook,
    message: Message,
    *,
    image: str | None,
    environment: Mapping[str, str],
) -> Rollout:
    """Return the rollout that ``message`` asks for: begun now, or when it came for the first time.

    Which rollout that is, is durable before it is begun. So a message whose rollout is not there was refused,
    or the controller died in between: it is tried again, if the sender signed it anew. A copy that somebody
    kept never is. Raises ``UserError``: ``stale_delivery``, ``delivery_reused``, ``delivery_repeated``,
    ``hook_not_allowed``, and what :func:`releases.deploy` raises.
    """
    async with hooks.turn(hook):
        fresh = releases.new_id()
        earlier = await hooks.remember(hook, message, fresh)
        if earlier is not None:
            if (known := await _known(engine, earlier.rollout)) is not None:
                return known
            _refuse_a_copy(message, earlier)
        _refuse_beyond(engine, hook, image, environment)
        return await releases.deploy(
            engine,
            hook.service,
            stack=hook.stack,
            image=image,
            environment=environment,
            id=fresh if earlier is None else earlier.rollout,
        )


async def _known(engine: Engine, id: str) -> Rollout | None:
    begun = next((rollout for rollout in engine.rollouts() if rollout.id == id), None)
    recorded = () if begun else await engine.drivers.journal.rollouts(Query(rollout=id, limit=1))
    return begun or next(iter(recorded), None)


def _refuse_a_copy(message: Message, earlier: Delivery) -> None:
    if message.sent_at <= earlier.sent_at:
        raise UserError(
            f"the message {message.id} came before, and no rollout followed",
            code="delivery_repeated",
            hint="To try again, sign it anew with the present time in webhook-timestamp.",
        )


def _refuse_beyond(engine: Engine, hook: Hook, image: str | None, environment: Mapping[str, str]) -> None:
    """Raises ``UserError`` (``hook_not_allowed``) for what the hook may not ask for."""
    key = lookup.service(engine, hook.service, hook.stack)
    spec = engine.ledger.spec(key[0]).service(key[1])
    wanted = spec.image if spec is not None else None
    if image is not None and not may_release(hook, image, wanted):
        allowed = ", ".join(hook.images) or f"the repository of {wanted}"
        raise _beyond(hook, f"the image {image}", ("images", allowed), "--image-pattern")
    others = sorted(set(environment) - set(hook.variables))
    if others:
        allowed = ", ".join(hook.variables) or "none"
        raise _beyond(hook, f"the variable {', '.join(others)}", ("variables", allowed), "--variable")


def _beyond(hook: Hook, what: str, allowed: tuple[str, str], option: str) -> UserError:
    return UserError(
        f"the hook {hook.name} may not set {what} of {hook.service}.{hook.stack}",
        code="hook_not_allowed",
        evidence=(allowed,),
        hint=f"Send what it may, or have an administrator make it anew with {option}.",
    )
