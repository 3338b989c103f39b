"""The registry in ZooKeeper: see :class:`bluegreen.ports.registry.Registry`.

Announcements and reports are nodes of this client's session. A report is taken back at the end. An
announcement is not, and the session is not ended either: whoever announces next takes the nodes over, and if
nobody does they vanish when the session times out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import suppress

from bluegreen.domain.announcement import Announcement, Listing
from bluegreen.domain.errors import BluegreenError, Permanent
from bluegreen.drivers.registries.zookeeper.documents import read_documents, write_document
from bluegreen.drivers.registries.zookeeper.layout import Layout, decode, encode, encode_text
from bluegreen.drivers.registries.zookeeper.link import Link
from bluegreen.drivers.registries.zookeeper.nodes import Node, Nodes
from bluegreen.drivers.registries.zookeeper.watching import Watching

FULL_LOOK = 50.0
"""Seconds until everything is looked at though nothing was told: a watch may get lost."""

AGAIN = 1.0
"""Seconds until something is tried again that ZooKeeper did not let us do."""

UPKEEP = 5.0
"""Seconds between looks whether somebody removed what we announced."""


class ZooKeeperRegistry:
    name = "zookeeper"

    def __init__(self, link: Link, prefix: str) -> None:
        self.link = link
        self._nodes = Nodes(link)
        self._prefix = prefix
        self._announced: dict[str, dict[str, bytes]] = {}
        self._reported: dict[str, bytes] = {}
        self._changing = asyncio.Lock()

    async def announce(self, stack: str, announcements: Collection[Announcement]) -> None:
        layout = self._layout(stack)
        wanted = {layout.announcement(one): encode(one) for one in announcements}
        async with self._changing:
            # Kept even if it fails: what was wanted before is wanted no more.
            self._announced[stack] = wanted
            await self._hold_announcements(layout, wanted, others=True)

    async def list(self, stack: str, *, documents_only: bool = False) -> Listing:
        layout = self._layout(stack)
        documents, malformed = await read_documents(self._nodes, layout)
        if documents_only:
            return Listing(stack=stack, documents=documents, malformed=tuple(malformed))
        announcements: dict[str, Announcement] = {}
        for path, node in (await self._announcements(layout)).items():
            try:
                one = decode(path, node.data)
            except ValueError as error:
                malformed.append(f"{path}: {error}")
            else:
                announcements[one.instance] = one
        return Listing(
            stack=stack, announcements=announcements, documents=documents, malformed=tuple(malformed)
        )

    async def changes(self, stack: str) -> AsyncIterator[None]:
        layout = self._layout(stack)
        with self.link.ear() as heard:
            watching = Watching(self.link, layout, heard)
            yield None
            while True:
                heard.clear()
                armed = await watching.arm()
                yield None  # only now: who looks now sees what came before the watches
                try:
                    async with asyncio.timeout(FULL_LOOK if armed else AGAIN):
                        await heard.wait()
                except TimeoutError:
                    watching.forget()

    async def write(self, stack: str, key: str, text: str, expected: int | None) -> int:
        return await write_document(self._nodes, self._layout(stack), key, text, expected)

    async def report(self, stack: str, key: str, text: str) -> None:
        path = self._layout(stack).document(key)
        data = encode_text(text, f"reporting {key} of {stack}")
        async with self._changing:
            if text:
                self._reported[path] = data
            else:
                self._reported.pop(path, None)
            await self._hold_reports({path: data} if text else {}, [path], others=True)

    async def supervise(self) -> None:
        with self.link.ear() as heard:
            epoch = 0
            while True:
                heard.clear()
                now = self.link.epoch
                try:
                    async with self._changing:
                        await self._bring_back(sure=now == epoch)
                    epoch, pause = now, UPKEEP
                except BluegreenError:
                    pause = AGAIN
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await heard.wait()

    async def take_back_reports(self) -> None:
        """For the end: what this client reported is said no longer. Never raises."""
        with suppress(BluegreenError):
            async with self._changing:
                if self._reported and self.link.online:
                    await self._hold_reports({}, tuple(self._reported), others=False)

    def _layout(self, stack: str) -> Layout:
        return Layout(self._prefix, stack)

    async def _announcements(self, layout: Layout) -> dict[str, Node]:
        what = f"listing {layout.stack}"
        services = await self._nodes.children(what, [layout.services])
        return await self._nodes.read(what, await self._nodes.children(what, services))

    async def _hold_announcements(self, layout: Layout, wanted: Mapping[str, bytes], *, others: bool) -> None:
        async def look() -> dict[str, Node]:
            return await self._announcements(layout)

        what = f"announcing {layout.stack}"
        await self._nodes.hold(what, look, wanted, _is_announcement, others=others)

    async def _hold_reports(self, wanted: Mapping[str, bytes], paths: Iterable[str], *, others: bool) -> None:
        what, looked_at = "reporting", sorted(paths)

        async def look() -> dict[str, Node]:
            return await self._nodes.read(what, looked_at)

        await self._nodes.hold(what, look, wanted, lambda node: True, others=others)

    async def _bring_back(self, *, sure: bool) -> None:
        """Make again what is missing; unless ``sure`` of the rest, of our own put right what is wrong.

        What another session holds is left to it: two who announce the same would fight without end. Raises
        when something is left to do.
        """
        refusal: BluegreenError | None = None
        for stack, wanted in self._announced.items():
            try:
                if not (sure and await self._all_there(wanted)):
                    await self._hold_announcements(self._layout(stack), wanted, others=False)
            except Permanent as error:  # one stack's rights are no reason to leave the others
                refusal = error
        if not (sure and await self._all_there(self._reported)):
            await self._hold_reports(self._reported, self._reported, others=False)
        if refusal is not None:
            raise refusal

    async def _all_there(self, paths: Collection[str]) -> bool:
        folders = sorted({path.rpartition("/")[0] for path in paths})
        return not set(paths).difference(await self._nodes.children("looking after nodes", folders))


def _is_announcement(node: Node) -> bool:
    """What nobody can read may be somebody's: it is told of, and left."""
    with suppress(ValueError):
        decode(node.path, node.data)
        return True
    return False
