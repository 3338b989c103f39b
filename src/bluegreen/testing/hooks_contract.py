"""The contract of :class:`bluegreen.ports.hooks.HookStore`: one suite for all drivers."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Protocol

import pytest

from bluegreen.domain.errors import UserError
from bluegreen.domain.hooks import Delivery, Hook, issue
from bluegreen.ports.hooks import HookStore
from bluegreen.testing.suite import Suite

NOW = 1_700_000_000.0


class Stage(Protocol):
    """Where one store lives. Everything is gone when its context ends."""

    def open(self) -> AbstractAsyncContextManager[HookStore]:
        """Open the store as a controller does. May be open several times at once."""
        ...


def a_hook(name: str = "ci") -> Hook:
    return issue(name, "shop", "web", NOW, images=("shop/*",), variables=("LEVEL",), created_by="root")


def a_delivery(hook: str = "1", id: str = "msg_1") -> Delivery:
    return Delivery(hook=hook, id=id, sent_at=NOW, digest="d1", rollout="r1", taken_at=NOW)


class HooksContract(Suite[Stage]):
    def test_hooks_are_there_after_a_restart_with_what_verifies_them(self) -> None:
        async def scenario(stage: Stage) -> None:
            made = [a_hook("zoe"), a_hook("ann")]
            async with stage.open() as store:
                for hook in made:
                    await store.keep_hook(hook)
            async with stage.open() as store:
                kept = await store.hooks()
                assert list(kept) == made
                assert made[0].secret not in repr(kept)

        self.run(scenario)

    def test_a_name_is_taken_once_and_free_after_its_hook_was_removed(self) -> None:
        async def scenario(stage: Stage) -> None:
            async with stage.open() as store:
                hook = a_hook()
                await store.keep_hook(hook)
                with pytest.raises(UserError, match="ci") as refused:
                    await store.keep_hook(a_hook())
                assert refused.value.code == "hook_exists"
                assert await store.remove_hook(hook.id)
                assert not await store.remove_hook(hook.id)
                await store.keep_hook(a_hook())

        self.run(scenario)

    def test_a_delivery_is_remembered_after_a_restart_with_the_latest_time_it_was_signed_for(self) -> None:
        async def scenario(stage: Stage) -> None:
            first = a_delivery()
            async with stage.open() as store:
                assert await store.remember(first) is None
                assert await store.remember(a_delivery(hook="2")) is None
                assert await store.remember(a_delivery(id="msg_2")) is None
            async with stage.open() as store:
                again = replace(first, sent_at=NOW + 7, rollout="r2", digest="d2", taken_at=NOW + 8)
                assert await store.remember(again) == first
                older = replace(first, sent_at=NOW + 3)
                assert await store.remember(older) == replace(first, sent_at=NOW + 7)
                assert await store.remember(older) == replace(first, sent_at=NOW + 7)

        self.run(scenario)
