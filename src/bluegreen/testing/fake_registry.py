"""A registry in memory, for tests of whoever announces or discovers.

:class:`FakeHouse` is what several clients share, as a server would be; :class:`FakeRegistry` is one client of
it. A house can be silent, forget everything, hold entries nobody can read, and tell less than is true. Rule:
a fake keeps the same contract as the real drivers (:mod:`bluegreen.testing.registry_contract`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

from bluegreen.domain.announcement import Announcement, Document, Listing
from bluegreen.domain.errors import Temporary
from bluegreen.testing.troubles import Troubles

Announcements = dict[str, Announcement]


class FakeHouse:
    """What is announced, by stack, and the documents, by stack and key."""

    def __init__(self) -> None:
        self.announced: dict[str, Announcements] = {}
        self.documents: dict[str, dict[str, Document]] = {}
        self.malformed: dict[str, list[str]] = {}
        self.unwell: set[str] = set()
        self.silent = False
        self.told_instead: Listing | None = None
        """What ``list`` answers instead of the truth: empty, partial, old."""
        self.epoch = 0
        self._version = 0
        self._waiting: set[asyncio.Event] = set()

    def next_version(self) -> int:
        self._version += 1
        return self._version

    def forget(self) -> None:
        """Lose everything, as a server does that comes back without its data."""
        self.announced.clear()
        self.documents.clear()
        self.changed(lost=True)

    def changed(self, *, lost: bool = False) -> None:
        """Tell everybody that something may have changed; ``lost`` when connections were, too."""
        self.epoch += lost
        for waiting in self._waiting:
            waiting.set()

    def ear(self) -> asyncio.Event:
        event = asyncio.Event()
        event.set()
        self._waiting.add(event)
        return event

    def unhear(self, event: asyncio.Event) -> None:
        self._waiting.discard(event)


class FakeRegistry:
    """See :class:`bluegreen.ports.registry.Registry`. ``calls`` holds the name of every method called."""

    name = "fake"

    def __init__(self, house: FakeHouse) -> None:
        self.house = house
        self.calls: list[str] = []
        self.troubles = Troubles()
        self._announced: dict[str, Announcements] = {}
        self._reported: dict[tuple[str, str], str] = {}
        self._epoch = house.epoch

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stack, key in self._reported:
            self.house.documents.get(stack, {}).pop(key, None)
        self.house.changed()

    async def announce(self, stack: str, announcements: Collection[Announcement]) -> None:
        await self._ask("announce", after=False)
        wanted = {one.instance: one for one in announcements}
        self._announced[stack] = wanted
        if self.house.announced.get(stack, {}) != wanted:
            self.house.announced[stack] = dict(wanted)
            self.house.changed()
        await self._ask("announce", after=True)

    async def list(self, stack: str, *, documents_only: bool = False) -> Listing:
        await self._ask("list", after=False)
        if self.house.told_instead is not None:
            return replace(self.house.told_instead, stack=stack)
        if documents_only:
            return Listing(stack=stack, documents=dict(self.house.documents.get(stack, {})))
        announced: Mapping[str, Announcement] = self.house.announced.get(stack, {})
        return Listing(
            stack=stack,
            announcements=dict(announced),
            unwell=frozenset(self.house.unwell & announced.keys()),
            documents=dict(self.house.documents.get(stack, {})),
            malformed=tuple(self.house.malformed.get(stack, ())),
        )

    async def changes(self, stack: str) -> AsyncIterator[None]:
        heard = self.house.ear()
        try:
            while True:
                await heard.wait()
                heard.clear()
                yield None
        finally:
            self.house.unhear(heard)

    async def write(self, stack: str, key: str, text: str, expected: int | None) -> int:
        await self._ask("write", after=False)
        known = self.house.documents.get(stack, {}).get(key)
        version = 0 if known is None else known.version
        if expected not in (None, version):
            raise conflict(stack, key, expected, version)
        written = self._put(stack, key, text)
        await self._ask("write", after=True)
        return written

    async def report(self, stack: str, key: str, text: str) -> None:
        await self._ask("report", after=False)
        if text:
            self._reported[stack, key] = text
            self._put(stack, key, text)
        else:
            self._reported.pop((stack, key), None)
            self.house.documents.get(stack, {}).pop(key, None)
            self.house.changed()

    async def supervise(self) -> None:
        heard = self.house.ear()
        try:
            while True:
                await heard.wait()
                heard.clear()
                if not self.house.silent and self._epoch != self.house.epoch:
                    self._epoch = self.house.epoch
                    self._bring_back()
        finally:
            self.house.unhear(heard)

    def _bring_back(self) -> None:
        for stack, announced in self._announced.items():
            self.house.announced[stack] = dict(announced)
        for (stack, key), text in self._reported.items():
            self._put(stack, key, text)
        self.house.changed()

    def _put(self, stack: str, key: str, text: str) -> int:
        version = self.house.next_version()
        self.house.documents.setdefault(stack, {})[key] = Document(text, version)
        self.house.changed()
        return version

    async def _ask(self, method: str, *, after: bool) -> None:
        if not after:
            self.calls.append(method)
        if self.house.silent:
            raise down()
        await self.troubles.come(method, after=after)


def down() -> Temporary:
    return Temporary("the registry does not answer", code="registry_down", hint="Traffic stays as it is.")


def conflict(stack: str, key: str, expected: int | None, found: int) -> Temporary:
    return Temporary(
        f"somebody else changed {key} of {stack}",
        code="conflict",
        evidence=(("expected version", str(expected)), ("found", str(found))),
        hint="Read it again, then decide.",
    )
