"""The contract of registries, for the fake and for every driver, this package's or anybody's.

Subclass :class:`RegistryContract` and give it a :class:`Stage`. What a registry does when it dies, hangs or
forgets is part of the contract: keeping users served through it is why the port is as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Protocol

import pytest

from bluegreen.domain.announcement import Announcement, Listing
from bluegreen.domain.check import CheckKind, HealthCheck
from bluegreen.domain.errors import BluegreenError, Temporary
from bluegreen.domain.naming import Color
from bluegreen.ports.registry import Registry
from bluegreen.testing.background import running
from bluegreen.testing.waiting import until

STACK = "shop"
PATIENCE = 30.0
NO_CHECK = HealthCheck(kind=CheckKind.NONE)


class Stage(Protocol):
    """A registry of the test's own, and what can befall it. Ends all it started when its context ends."""

    def client(self) -> AbstractAsyncContextManager[Registry]:
        """Open one more client of the registry."""
        ...

    async def freeze(self) -> None:
        """Let it accept connections and answer nothing (SIGSTOP)."""
        ...

    async def thaw(self) -> None: ...

    async def kill(self) -> None:
        """End it at once (SIGKILL)."""
        ...

    async def revive(self, *, empty: bool = False) -> None:
        """Start it again after :meth:`kill`, with its data, or without; returns when it answers."""
        ...

    async def spoil(self, stack: str, instance: str) -> None:
        """Put an entry of that name, that no driver can read, where announcements of ``stack`` are."""
        ...


class RegistryContract:
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        raise NotImplementedError

    def run(self, scenario: Callable[[Stage, Registry], Awaitable[None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(100), self.stage() as stage, stage.client() as registry:
                await scenario(stage, registry)

        asyncio.run(main())

    # -- announcements ---------------------------------------------------------------------------

    def test_an_unknown_stack_has_nothing(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            assert await registry.list("nobody") == Listing(stack="nobody")

        self.run(scenario)

    def test_what_is_announced_is_listed_whole(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            check = HealthCheck(path="/ping", method="HEAD", interval=30.0, timeout=1.0)
            told = (
                replace(announcement(1), weight=7, release=12, check=check),
                replace(announcement(2), color=Color.GREEN, draining=True),
            )
            await registry.announce(STACK, told)
            found = (await registry.list(STACK)).announcements
            assert {n: replace(a, check=NO_CHECK) for n, a in found.items()} == {
                a.instance: replace(a, check=NO_CHECK) for a in told
            }

        self.run(scenario)

    def test_announcing_is_declarative_and_idempotent(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            await registry.announce(STACK, (announcement(1), announcement(2)))
            for _ in range(2):
                await registry.announce(STACK, (announcement(2), announcement(3)))
                assert await names(registry) == {"shop-web-r1-2", "shop-web-r1-3"}
            await registry.announce(STACK, ())
            assert await names(registry) == set()

        self.run(scenario)

    def test_stacks_do_not_touch_each_other(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            await registry.announce(STACK, (announcement(1),))
            await registry.announce("shop-two", (announcement(1, "shop-two"),))
            await registry.announce(STACK, ())
            assert await names(registry, "shop-two") == {"shop-two-web-r1-1"}
            assert await names(registry) == set()

        self.run(scenario)

    def test_an_announcement_that_changes_is_never_absent(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            await registry.announce(STACK, (announcement(1),))
            async with stage.client() as other, watched(other) as seen:
                for number in range(10):
                    draining = bool(number % 2)
                    changed = replace(announcement(1), draining=draining, port=9000 + number)
                    await registry.announce(STACK, (changed,))
                await until(lambda: any("shop-web-r1-1" in names for names in seen))
            assert all(names == {"shop-web-r1-1"} for names in seen)

        self.run(scenario)

    def test_a_new_announcer_takes_over_without_a_gap(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            both = {"shop-web-r1-1", "shop-web-r1-2"}
            async with stage.client() as other:
                await registry.announce(STACK, (announcement(1), announcement(2)))
                await until(lambda: has_names(other, both), PATIENCE)  # those may come one by one
                async with watched(other) as seen:
                    for _ in range(3):
                        async with stage.client() as announcer:
                            await announcer.announce(STACK, (announcement(1), announcement(2)))
                        looks = len(seen)
                        await until(lambda looks=looks: len(seen) > looks)  # type: ignore[misc]
            assert all(names == both for names in seen)

        self.run(scenario)

    def test_an_entry_nobody_can_read_is_skipped_and_told(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            await registry.announce(STACK, (announcement(1),))
            await stage.spoil(STACK, "shop-web-r1-9")
            listing = await registry.list(STACK)
            assert set(listing.announcements) == {"shop-web-r1-1"}
            assert len(listing.malformed) == 1
            assert "shop-web-r1-9" in listing.malformed[0]

        self.run(scenario)

    def test_a_thousand_instances_are_listed(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            await registry.announce(STACK, [announcement(number) for number in range(1000)])
            assert len(await names(registry)) == 1000

        self.run(scenario)

    # -- documents -------------------------------------------------------------------------------

    def test_a_document_is_changed_only_by_who_saw_it_last(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            first = await registry.write(STACK, "routes/web", "green", 0)
            second = await registry.write(STACK, "routes/web", "blue", first)
            assert second > first
            for stale in (0, first):
                await refused(registry.write(STACK, "routes/web", "late", stale))
            await refused(registry.write(STACK, "routes/other", "late", second))
            found = (await registry.list(STACK)).documents
            assert {key: (d.text, d.version) for key, d in found.items()} == {"routes/web": ("blue", second)}
            assert await registry.write(STACK, "routes/web", "by force", None) > second

        self.run(scenario)

    def test_of_many_writers_one_wins(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            version = await registry.write(STACK, "routes/web", "green", None)

            async def wins(number: int) -> bool:
                try:
                    await registry.write(STACK, "routes/web", f"by {number}", version)
                except Temporary:
                    return False
                return True

            assert sum(await asyncio.gather(*map(wins, range(10)))) == 1

        self.run(scenario)

    def test_documents_and_announcements_do_not_mix(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            await registry.write(STACK, "structure", "{}", 0)
            await registry.announce(STACK, (announcement(1),))
            await registry.announce(STACK, ())
            listing = await registry.list(STACK)
            assert set(listing.documents) == {"structure"}
            await registry.announce(STACK, (announcement(1),))
            alone = await registry.list(STACK, documents_only=True)
            assert (alone.documents, set(alone.announcements)) == (listing.documents, set())
            assert listing.malformed == ()

        self.run(scenario)

    def test_an_empty_report_removes_what_somebody_else_wrote(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            async with stage.client() as other:
                await other.write(STACK, "marks/one", "it was here", None)
            assert "marks/one" in (await registry.list(STACK)).documents
            await registry.report(STACK, "marks/one", "")
            assert "marks/one" not in (await registry.list(STACK)).documents
            await registry.report(STACK, "marks/one", "")  # what is not there is no error
            assert await registry.write(STACK, "marks/one", "again", 0)

        self.run(scenario)

    def test_a_report_ends_with_its_reporter(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            async with stage.client() as box:
                await box.report(STACK, "boxes/one", "first")
                await box.report(STACK, "boxes/one", "second")
                await box.report(STACK, "boxes/two", "taken back")
                await box.report(STACK, "boxes/two", "")
                found = (await registry.list(STACK)).documents
                assert {key: document.text for key, document in found.items()} == {"boxes/one": "second"}
            await until(lambda: has_no_documents(registry), PATIENCE)

        self.run(scenario)

    # -- changes ---------------------------------------------------------------------------------

    def test_changes_begin_at_once_and_tell_of_others(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            async with stage.client() as other, following(other) as listings:
                await until(lambda: bool(listings), PATIENCE)
                await registry.announce(STACK, (announcement(1),))
                await until(lambda: "shop-web-r1-1" in listings[-1].announcements, PATIENCE)
                await registry.write(STACK, "routes/web", "green", None)
                await until(lambda: "routes/web" in listings[-1].documents, PATIENCE)
                await registry.announce(STACK, ())
                await until(lambda: not listings[-1].announcements, PATIENCE)

        self.run(scenario)

    def test_of_many_changes_the_last_is_seen(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            async with stage.client() as other, following(other) as listings:
                for number in range(200):
                    await registry.write(STACK, "routes/web", f"{number}", None)
                await until(lambda: bool(listings) and _text(listings[-1]) == "199", PATIENCE)

        self.run(scenario)

    # -- trouble ---------------------------------------------------------------------------------

    def test_a_frozen_registry_is_down_until_it_thaws(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            await registry.announce(STACK, (announcement(1),))
            async with following(registry) as listings:
                await until(lambda: bool(listings), PATIENCE)
                await stage.freeze()
                try:
                    await is_down(registry.list(STACK))
                    await is_down(registry.announce(STACK, (announcement(2),)))
                    await is_down(registry.write(STACK, "routes/web", "green", None))
                finally:
                    await stage.thaw()
                await until(lambda: succeeds(registry.announce(STACK, (announcement(3),))), PATIENCE)
                await until(lambda: "shop-web-r1-3" in listings[-1].announcements, PATIENCE)

        self.run(scenario)

    def test_a_killed_registry_is_down_and_changes_go_on_after_it(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            await registry.announce(STACK, (announcement(1),))
            await registry.write(STACK, "routes/web", "green", None)
            async with stage.client() as other, following(other) as listings:
                await until(lambda: bool(listings), PATIENCE)
                await stage.kill()
                await is_down(registry.list(STACK))
                await stage.revive()
                await until(lambda: succeeds(registry.announce(STACK, (announcement(2),))), PATIENCE)
                await until(lambda: set(listings[-1].announcements) == {"shop-web-r1-2"}, PATIENCE)

        self.run(scenario)

    def test_what_a_registry_forgot_comes_back(self) -> None:
        async def scenario(stage: Stage, registry: Registry) -> None:
            async with running(registry.supervise()):
                await registry.announce(STACK, (announcement(1), announcement(2)))
                await registry.report(STACK, "boxes/one", "here")
                await stage.kill()
                await stage.revive(empty=True)
                await until(lambda: has_names(registry, {"shop-web-r1-1", "shop-web-r1-2"}), PATIENCE)
                await until(lambda: has_document(registry, "boxes/one"), PATIENCE)

        self.run(scenario)


def announcement(number: int, stack: str = STACK) -> Announcement:
    """Return an announcement that no registry checks by itself: it stays whatever listens there."""
    return Announcement(
        instance=f"{stack}-web-r1-{number}",
        stack=stack,
        service="web",
        color=Color.BLUE,
        release=1,
        host="127.0.0.1",
        port=20000 + number,
        check=NO_CHECK,
    )


async def names(registry: Registry, stack: str = STACK) -> set[str]:
    return set((await registry.list(stack)).announcements)


async def has_names(registry: Registry, wanted: set[str]) -> bool:
    with suppress(Temporary):
        return await names(registry) == wanted
    return False


async def has_document(registry: Registry, key: str) -> bool:
    with suppress(Temporary):
        return key in (await registry.list(STACK)).documents
    return False


async def has_no_documents(registry: Registry) -> bool:
    return not (await registry.list(STACK)).documents


async def succeeds(call: Awaitable[object]) -> bool:
    with suppress(Temporary):
        await call
        return True
    return False


async def refused(call: Awaitable[object]) -> None:
    with pytest.raises(Temporary) as told:
        await call
    assert told.value.code == "conflict"
    assert told.value.hint


async def is_down(call: Awaitable[object]) -> None:
    with pytest.raises(BluegreenError) as told:
        await call
    assert (type(told.value), told.value.code) == (Temporary, "registry_down")
    assert told.value.hint


@asynccontextmanager
async def following(registry: Registry) -> AsyncIterator[list[Listing]]:
    """Yield what is listed at each change."""
    found: list[Listing] = []

    async def follow() -> None:
        async with aclosing(registry.changes(STACK)) as changes:  # type: ignore[type-var]
            async for _ in changes:
                with suppress(Temporary):
                    found.append(await registry.list(STACK))

    async with running(follow()):
        yield found


@asynccontextmanager
async def watched(registry: Registry) -> AsyncIterator[list[set[str]]]:
    """Yield the names that are listed, asked without a pause."""
    found: list[set[str]] = []

    async def look() -> None:
        while True:
            found.append(await names(registry))
            await asyncio.sleep(0)

    async with running(look()):
        yield found


def _text(listing: Listing) -> str:
    known = listing.documents.get("routes/web")
    return "" if known is None else known.text
