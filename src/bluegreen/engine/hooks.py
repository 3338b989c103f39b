"""Knows the deploy hooks, whether a message is from one, and which of its messages were taken already.

Called by the API. Hooks are in memory, as the journal has them; what they were sent is in the journal, so
that a message is carried out once, also when the controller died in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from bluegreen.domain import hooks as domain
from bluegreen.domain.access import Actor
from bluegreen.domain.errors import UserError
from bluegreen.domain.hooks import Delivery, Hook, Message
from bluegreen.engine.tries import Tries
from bluegreen.ports.clock import Clock
from bluegreen.ports.hooks import HookStore

log = structlog.get_logger()


class Hooks:
    def __init__(self, store: HookStore, tries: Tries, clock: Clock) -> None:
        self._store = store
        self._tries = tries
        self._clock = clock
        self._hooks: dict[str, Hook] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._nobody = domain.issue("", "", "", 0.0)

    async def load(self) -> None:
        """Read the hooks. Raises what the store raises."""
        self._hooks = {hook.name: hook for hook in await self._store.hooks()}

    def all(self) -> Sequence[Hook]:
        return tuple(self._hooks.values())

    async def create(
        self,
        name: str,
        stack: str,
        service: str,
        by: Actor,
        *,
        images: tuple[str, ...] = (),
        variables: tuple[str, ...] = (),
    ) -> Hook:
        """Make a hook for one service. Raises ``hook_exists``."""
        now = self._clock.now()
        hook = domain.issue(name, stack, service, now, images=images, variables=variables, created_by=by.name)
        await self._store.keep_hook(hook)
        self._hooks[name] = hook
        return hook

    async def remove(self, name: str) -> Hook:
        """Forget the hook with this name: what it signed proves nothing now. Raises ``unknown_hook``."""
        hook = self._hooks.get(name)
        if hook is None:
            known = ", ".join(self._hooks) or "none"
            raise UserError(f"there is no hook {name}", code="unknown_hook", hint=f"Known: {known}.")
        await self._store.remove_hook(hook.id)
        self._hooks.pop(name, None)
        return hook

    def may_try(self, origin: str) -> None:
        """Raises ``UserError`` (``too_many_tries``), before anything of a message is read."""
        self._tries.check(origin, self._clock.now())

    def proven(self, name: str, message: Message, origin: str) -> Hook:
        """Return the hook ``name`` if it signed ``message``.

        Raises ``UserError`` (``unauthenticated``): one answer, after the same work, for a hook that is not
        there and for a signature that is not its own.
        """
        if not message.well_formed:
            raise unsigned()
        hook = self._hooks.get(name)
        if not domain.proves(message, (hook or self._nobody).secret) or hook is None:
            self._tries.failed(origin, self._clock.now())
            log.warning("hook.refused", origin=origin, hook=hook.name if hook else "")
            raise UserError(
                "there is no such hook, or it did not sign this",
                code="unauthenticated",
                hint="Sign `webhook-id.webhook-timestamp.body` with the secret that `bluegreen hook create` "
                "showed: base64 behind `whsec_`.",
            )
        return hook

    def turn(self, hook: Hook) -> asyncio.Lock:
        """Return the lock under which the messages of one hook are taken one at a time."""
        return self._locks.setdefault(hook.id, asyncio.Lock())

    async def remember(self, hook: Hook, message: Message, rollout: str) -> Delivery | None:
        """Remember ``message``, to be carried out as ``rollout``; return what was remembered before.

        Raises ``UserError``: ``stale_delivery``, ``delivery_reused``.
        """
        now = self._clock.now()
        if not domain.fresh(message, now):
            raise _stale(message, now)
        delivery = Delivery(
            hook=hook.id,
            id=message.id,
            sent_at=message.sent_at,
            digest=message.digest,
            rollout=rollout,
            taken_at=now,
        )
        earlier = await self._store.remember(delivery)
        if earlier is not None and earlier.digest != delivery.digest:
            raise UserError(
                f"the webhook-id {message.id} was used for another body",
                code="delivery_reused",
                hint="Give each release an id of its own, and a repetition the same body.",
            )
        return earlier


def unsigned() -> UserError:
    return UserError(
        "a hook takes signed messages only",
        code="unauthenticated",
        evidence=(("headers", "webhook-id (without a full stop), webhook-timestamp, webhook-signature"),),
        hint="Sign it as Standard Webhooks says; `bluegreen hook create` shows the secret.",
    )


def _stale(message: Message, now: float) -> UserError:
    apart = abs(message.sent_at - now)
    return UserError(
        f"the message was signed {apart:.0f} s {'before' if message.sent_at < now else 'after'} now",
        code="stale_delivery",
        evidence=(
            ("webhook-timestamp", _moment(message.sent_at)),
            ("the controller's clock", _moment(now)),
            ("allowed apart", f"{domain.TOLERANCE:.0f} s"),
        ),
        hint="Sign each attempt anew, with the time it is sent at, and set both clocks (NTP).",
    )


def _moment(at: float) -> str:
    try:
        return f"{at:.0f} ({datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC)"
    except (ValueError, OverflowError, OSError):
        return f"{at:.0f}"
