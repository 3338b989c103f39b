"""The port, method by method. Nothing here blocks for longer than a file takes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from pathlib import Path

from bluegreen.domain.announcement import Announcement, Document, Listing
from bluegreen.domain.errors import Temporary
from bluegreen.ports.codec import UndecodableError, decode, encode
from bluegreen_folder.files import alone, beat, fresh, marks, put, reachable, texts

AT_LEAST_EVERY = 30.0


class FolderRegistry:
    name = "folder"

    def __init__(self, folder: Path, pause: float, expiry: float, deadline: float) -> None:
        self._folder = folder
        self._pause = pause
        self._expiry = expiry
        self._deadline = deadline
        self._announced: dict[str, tuple[Announcement, ...]] = {}
        self._reports: dict[tuple[str, str], str] = {}

    async def announce(self, stack: str, announcements: Collection[Announcement]) -> None:
        self._announced[stack] = tuple(announcements)
        async with alone(self._folder, self._deadline):
            self._write_announcements(stack)

    async def list(self, stack: str, *, documents_only: bool = False) -> Listing:
        malformed: list[str] = []
        with reachable(self._folder):
            documents = self._documents(stack, malformed)
            announced = {} if documents_only else self._announcements(stack, malformed)
        return Listing(
            stack=stack, announcements=announced, documents=documents, malformed=tuple(malformed)
        )

    async def changes(self, stack: str) -> AsyncIterator[None]:
        before, told = None, 0.0
        while True:
            now = marks(self._folder / stack, self._expiry)
            if now != before or time.monotonic() - told > AT_LEAST_EVERY:
                before, told = now, time.monotonic()
                yield None
            await asyncio.sleep(self._pause)

    async def write(self, stack: str, key: str, text: str, expected: int | None) -> int:
        async with alone(self._folder, self._deadline):
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

    async def report(self, stack: str, key: str, text: str) -> None:
        async with alone(self._folder, self._deadline):
            if text:
                self._reports[stack, key] = text
                self._put_document(stack, key, text, 0, lasting=False)
                beat(self._document(stack, key)).touch()
            else:
                self._reports.pop((stack, key), None)
                self._take_back(stack, key)

    async def supervise(self) -> None:
        """Give signs of life before reports expire, and bring back what somebody deleted."""
        while True:
            with suppress(Temporary):
                async with alone(self._folder, self._deadline):
                    self._renew()
            await asyncio.sleep(min(1.0, self._expiry / 4))

    def close(self) -> None:
        """Take the reports back; what was announced stays."""
        with suppress(OSError):
            for stack, key in self._reports:
                self._take_back(stack, key)

    # -- files -----------------------------------------------------------------------------------

    def _document(self, stack: str, key: str) -> Path:
        return self._folder / stack / "documents" / f"{key.replace('/', ':')}.json"

    def _put_document(self, stack: str, key: str, text: str, before: int, *, lasting: bool) -> int:
        version = max(time.time_ns(), before + 1)  # hosts' clocks differ; versions grow nevertheless
        held = {"text": text, "version": version, "lasting": lasting}
        put(self._document(stack, key), json.dumps(held))
        return version

    def _take_back(self, stack: str, key: str) -> None:
        path = self._document(stack, key)
        path.unlink(missing_ok=True)
        beat(path).unlink(missing_ok=True)

    def _renew(self) -> None:
        for stack in self._announced:
            self._write_announcements(stack)
        for (stack, key), text in self._reports.items():
            path = self._document(stack, key)
            if not path.exists():
                self._put_document(stack, key, text, 0, lasting=False)
            beat(path).touch()

    def _documents(self, stack: str, malformed: list[str]) -> dict[str, Document]:
        found = {}
        for path, text in texts(self._folder / stack / "documents"):
            try:
                held = json.loads(text)
                if held["lasting"] or fresh(beat(path), self._expiry):
                    found[path.stem.replace(":", "/")] = Document(held["text"], held["version"])
            except (ValueError, KeyError, TypeError) as error:
                malformed.append(f"{path.name}: not a document: {error}")
        return found

    def _announcements(self, stack: str, malformed: list[str]) -> dict[str, Announcement]:
        found = {}
        for path, text in texts(self._folder / stack / "instances"):
            try:
                found[path.stem] = decode(Announcement, text)
            except UndecodableError as error:
                malformed.append(f"{path.name}: {error}")
        return found

    def _write_announcements(self, stack: str) -> None:
        """Make the files those of this announcer; what is right is not touched."""
        folder = self._folder / stack / "instances"
        wanted = {f"{one.instance}.json": encode(one) for one in self._announced[stack]}
        held = {path.name: text for path, text in texts(folder)}
        for name, text in wanted.items():
            if held.get(name) != text:
                put(folder / name, text)
        for name in held.keys() - wanted.keys():
            (folder / name).unlink(missing_ok=True)
