"""The port, method by method. What is wanted is noted here, and made so on the disk, in its threads."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection, MutableSequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from bluegreen.domain.announcement import Announcement, Document, Listing
from bluegreen.domain.errors import Temporary
from bluegreen.ports.codec import UndecodableError, decode, encode
from bluegreen_folder.files import Disk, beat, contents, fresh, marks

AT_LEAST_EVERY = 30.0


class FolderRegistry:
    name = "folder"

    def __init__(self, folder: Path, pause: float, expiry: float, deadline: float) -> None:
        self._folder = folder
        self._disk = Disk(folder, deadline)
        self._pause = pause
        self._expiry = expiry
        self._announced: dict[str, tuple[Announcement, ...]] = {}
        self._reports: dict[tuple[str, str], str] = {}

    async def announce(self, stack: str, announcements: Collection[Announcement]) -> None:
        self._announced[stack] = tuple(announcements)
        await self._disk.do(partial(self._settle_announcements, stack))

    async def list(self, stack: str, *, documents_only: bool = False) -> Listing:
        return await self._disk.do(partial(self._list, stack, documents_only))

    async def changes(self, stack: str) -> AsyncIterator[None]:
        folders = tuple(self._folder / stack / kind for kind in ("documents", "instances"))
        before, told = None, 0.0
        while True:
            try:
                now = await self._disk.do(partial(marks, folders, self._expiry))
            except Temporary:
                now = None  # and its return is a change
            if now not in (None, before) or time.monotonic() - told > AT_LEAST_EVERY:
                told = time.monotonic()
                yield None
            before = now
            await asyncio.sleep(self._pause)

    async def write(self, stack: str, key: str, text: str, expected: int | None) -> int:
        return await self._disk.do(partial(self._write, stack, key, text, expected))

    async def report(self, stack: str, key: str, text: str) -> None:
        if text:
            self._reports[stack, key] = text
        else:
            self._reports.pop((stack, key), None)
        await self._disk.do(partial(self._settle_report, stack, key))

    async def supervise(self) -> None:
        """Give signs of life before reports expire, and bring back what somebody deleted."""
        while True:
            for work in (
                *(partial(self._settle_announcements, stack) for stack in self._announced),
                *(partial(self._settle_report, *of) for of in self._reports),
            ):
                with suppress(Temporary):
                    await self._disk.do(work)
            await asyncio.sleep(min(1.0, self._expiry / 4))

    async def close(self) -> None:
        """Take the reports back; what was announced stays."""
        with suppress(Temporary):
            for stack, key in tuple(self._reports):
                await self.report(stack, key, "")
        self._disk.close()

    # -- work for the disk's threads -------------------------------------------------------------

    def _list(self, stack: str, documents_only: bool) -> Listing:
        malformed: MutableSequence[str] = []
        with self._disk.locked(shared=True):
            documents = self._documents(stack, malformed)
            announced = {} if documents_only else self._announcements(stack, malformed)
        return Listing(stack=stack, announcements=announced, documents=documents, malformed=tuple(malformed))

    def _write(self, stack: str, key: str, text: str, expected: int | None) -> int:
        with self._disk.locked():
            known = self._documents(stack, []).get(key)
            version = 0 if known is None else known.version
            if expected not in (None, version):
                raise Temporary(
                    f"somebody else changed {key} of {stack}",
                    code="conflict",
                    evidence=(("expected version", str(expected)), ("found", str(version))),
                    hint="Read it again, then decide.",
                )
            return self._put_document(stack, key, text, version, lasting=True)

    def _settle_announcements(self, stack: str) -> None:
        """Make the files those of this announcer; what is right is not touched."""
        folder = self._folder / stack / "instances"
        with self._disk.locked():
            wanted = {f"{one.instance}.json": encode(one) for one in self._announced[stack]}
            held = {path.name: content for path, content in contents(folder)}
            for name, text in wanted.items():
                if held.get(name) != text.encode():
                    self._disk.put(folder / name, text)
            for name in held.keys() - wanted.keys():
                (folder / name).unlink(missing_ok=True)

    def _settle_report(self, stack: str, key: str) -> None:
        path = self._document(stack, key)
        with self._disk.locked():
            text = self._reports.get((stack, key))
            if text is None:
                path.unlink(missing_ok=True)
                beat(path).unlink(missing_ok=True)
                return
            known = self._documents(stack, []).get(key)
            if known is None or known.text != text:
                self._put_document(stack, key, text, 0 if known is None else known.version, lasting=False)
            beat(path).touch()

    # -- files -----------------------------------------------------------------------------------

    def _document(self, stack: str, key: str) -> Path:
        return self._folder / stack / "documents" / f"{key.replace('/', ':')}.json"

    def _put_document(self, stack: str, key: str, text: str, before: int, *, lasting: bool) -> int:
        version = max(time.time_ns(), before + 1)  # hosts' clocks differ; versions grow nevertheless
        held = {"text": text, "version": version, "lasting": lasting}
        self._disk.put(self._document(stack, key), json.dumps(held))
        return version

    def _documents(self, stack: str, malformed: MutableSequence[str]) -> dict[str, Document]:
        found = {}
        for path, content in contents(self._folder / stack / "documents"):
            try:
                match json.loads(content):
                    case {"text": str(text), "version": int(version), "lasting": bool(lasting)}:
                        if lasting or fresh(beat(path), self._expiry):
                            found[path.stem.replace(":", "/")] = Document(text, version)
                    case _:
                        malformed.append(f"{path.name}: not a document")
            except ValueError as error:
                malformed.append(f"{path.name}: not a document: {error}")
        return found

    def _announcements(self, stack: str, malformed: MutableSequence[str]) -> dict[str, Announcement]:
        found = {}
        for path, content in contents(self._folder / stack / "instances"):
            try:
                found[path.stem] = decode(Announcement, content.decode())
            except (UndecodableError, ValueError) as error:
                malformed.append(f"{path.name}: {error}")
        return found
