"""Consul as the port's :class:`~bluegreen.ports.registry.Registry`, and the care for what was told to it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import suppress

from bluegreen.domain.announcement import Announcement, Listing
from bluegreen.domain.errors import BluegreenError
from bluegreen.drivers.registries.consul import entries
from bluegreen.drivers.registries.consul.client import Client
from bluegreen.drivers.registries.consul.documents import Documents
from bluegreen.drivers.registries.consul.options import Options
from bluegreen.drivers.registries.consul.reports import Reports
from bluegreen.drivers.registries.consul.services import Entry, Services
from bluegreen.drivers.registries.consul.watching import SERVICES, heard, queries, until_news

AT_LEAST_EVERY = 50.0
"""Seconds after which a change is told, or what was announced is looked at, without any news."""

BETWEEN_LOOKS = 1.0

ANNOUNCERS = ".announcers"
"""The folder that says who announced a stack last. No stack has such a name."""

Wish = Mapping[str, entries.Registration]


class ConsulRegistry:
    """See :class:`bluegreen.ports.registry.Registry`. Opened by ``open_registry``."""

    name = "consul"

    def __init__(self, client: Client, options: Options) -> None:
        self._client = client
        self._options = options
        self._services = Services(client, options.settle_deadline)
        self._documents = Documents(client, options.path)
        self._reports = Reports(client, options.path, options.session_ttl)
        self._me = str(uuid.uuid4())
        self._wishes: dict[str, Wish] = {}
        self._turn = asyncio.Lock()

    @property
    def stacks(self) -> frozenset[str]:
        """The stacks that were announced by this object last, and so are brought back by it."""
        return frozenset(self._wishes)

    async def announce(self, stack: str, announcements: Collection[Announcement]) -> None:
        made = [
            entries.registration(self._options.path, one, self._options.deregister_after)
            for one in announcements
        ]
        async with self._turn:
            self._wishes[stack] = {one.id: one for one in made}
            await self._tell(stack, self._wishes[stack])

    async def list(self, stack: str, *, documents_only: bool = False) -> Listing:
        documents, malformed = await self._documents.read(stack)
        if documents_only:
            return Listing(stack=stack, documents=documents, malformed=tuple(malformed))
        found = await self._services.entries(stack)
        announced: dict[str, Announcement] = {}
        unwell: set[str] = set()
        # Where two agents hold the same instance, what was said last counts.
        for entry in sorted(found, key=_age):
            try:
                one = entries.announcement_of(entry["Service"])
            except (ValueError, TypeError, AttributeError) as error:
                malformed.append(f"service {entry['Service'].get('ID')}: not an announcement: {error}")
                continue
            announced[one.instance] = one
            (unwell.add if entries.is_unwell(entry) else unwell.discard)(one.instance)
        return Listing(
            stack=stack,
            announcements=announced,
            unwell=frozenset(unwell),
            documents=documents,
            malformed=tuple(malformed),
        )

    async def changes(self, stack: str) -> AsyncIterator[None]:
        yield None
        async with heard(self._client, queries(self._documents.folder(stack), stack)) as news:
            while True:
                await until_news(news, AT_LEAST_EVERY)
                yield None

    async def write(self, stack: str, key: str, text: str, expected: int | None) -> int:
        return await self._documents.write(stack, key, text, expected)

    async def report(self, stack: str, key: str, text: str) -> None:
        await self._reports.report(stack, key, text)

    async def supervise(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._renew())
            group.create_task(self._guard())

    async def close(self) -> None:
        """Take the reports back. What was announced stays."""
        await self._reports.close()

    async def _tell(self, stack: str, wish: Wish) -> None:
        if await self._announcer(stack) != self._me:
            what = f"saying who announces {stack}"
            await self._client.call("PUT", self._record(stack), what=what, body=self._me.encode())
        await self._services.make(stack, wish)

    async def _announcer(self, stack: str) -> str:
        """Return who announced a stack last; empty when Consul does not know."""
        what = f"asking who announces {stack}"
        params = {"raw": "", "consistent": ""}
        answer = await self._client.call("GET", self._record(stack), what=what, params=params, accept=(404,))
        return answer.words if answer.status == 200 else ""

    def _record(self, stack: str) -> str:
        return f"{self._documents.folder(ANNOUNCERS)}{stack}"

    async def _renew(self) -> None:
        while True:
            try:
                await self._reports.renew()
                await asyncio.sleep(self._reports.rhythm)
            except BluegreenError:
                await asyncio.sleep(BETWEEN_LOOKS)

    async def _guard(self) -> None:
        """Look after every change of any service, and after every time that Consul was away."""
        async with heard(self._client, (SERVICES,)) as news:
            while True:
                await until_news(news, AT_LEAST_EVERY)
                for stack in tuple(self._wishes):
                    try:
                        await self._bring_back(stack)
                    except BluegreenError:
                        news.set()  # once more, after a while
                await asyncio.sleep(BETWEEN_LOOKS)

    async def _bring_back(self, stack: str) -> None:
        """Announce a stack again where Consul lost it, unless somebody else has announced it since."""
        async with self._turn:
            wish = self._wishes.get(stack)
            if wish is None:
                return
            announcer = await self._announcer(stack)
            if announcer not in ("", self._me):
                with suppress(KeyError):
                    del self._wishes[stack]
            elif not announcer or not await self._services.are_held(stack, wish):
                await self._tell(stack, wish)


def _age(entry: Entry) -> int:
    index = entry["Service"].get("ModifyIndex")
    return index if isinstance(index, int) else 0
