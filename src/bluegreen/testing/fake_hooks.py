"""Hooks in memory. Keeps the contract of the real ones (:mod:`bluegreen.testing.hooks_contract`)."""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain.errors import UserError
from bluegreen.domain.hooks import Delivery, Hook
from bluegreen.ports.hooks import HookStore


class FakeHooks:
    def __init__(self) -> None:
        self._hooks: dict[str, Hook] = {}
        self._deliveries: dict[tuple[str, str], Delivery] = {}

    async def hooks(self) -> tuple[Hook, ...]:
        return tuple(self._hooks.values())

    async def keep_hook(self, hook: Hook) -> None:
        if any(hook.id == known.id or hook.name == known.name for known in self._hooks.values()):
            raise UserError(f"there is a hook {hook.name} already", code="hook_exists")
        self._hooks[hook.id] = hook

    async def remove_hook(self, id: str) -> bool:
        return self._hooks.pop(id, None) is not None

    async def remember(self, delivery: Delivery) -> Delivery | None:
        key = delivery.hook, delivery.id
        earlier = self._deliveries.get(key)
        kept = earlier or delivery
        self._deliveries[key] = replace(kept, sent_at=max(kept.sent_at, delivery.sent_at))
        return earlier


_: type[HookStore] = FakeHooks
