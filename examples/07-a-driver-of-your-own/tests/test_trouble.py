"""What the contract cannot know: this registry's lock, its signs of life, and what a disk can do to it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from pathlib import Path

import pytest
from bluegreen_folder import FolderRegistry
from bluegreen_folder.files import Disk, beat, marks

from bluegreen.domain.errors import Temporary
from bluegreen.testing.registry_contract import announcement, is_down
from bluegreen.testing.waiting import until

STACK = "shop"


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(main())


def opened(folder: Path, *, expiry: float = 30.0, deadline: float = 30.0) -> FolderRegistry:
    return FolderRegistry(folder, 0.02, expiry, deadline)


def test_whoever_is_frozen_with_the_lock_freezes_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        with (tmp_path / ".lock").open("w") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with pytest.raises(Temporary) as told:
                await opened(tmp_path, deadline=1.0).write(STACK, "structure", "{}", None)
        assert told.value.code == "registry_down"
        assert "another process" in str(told.value.evidence)
        await opened(tmp_path).write(STACK, "structure", "{}", None)

    run(scenario)


def test_a_folder_that_went_away_in_the_middle_of_a_write_is_not_made_anew(tmp_path: Path) -> None:
    folder, away = tmp_path / "registry", tmp_path / "away"
    folder.mkdir()
    disk = Disk(folder, 30.0)

    def write() -> None:
        with disk.locked():
            folder.rename(away)  # as when a share is unmounted under a writer that holds the lock
            disk.put(folder / STACK / "instances" / "one.json", "{}")

    async def scenario() -> None:
        with pytest.raises(Temporary) as told:
            await disk.do(write)
        assert told.value.code == "registry_down"
        assert not folder.exists()

    run(scenario)


def test_the_report_of_who_was_killed_expires_and_followers_are_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        reader = opened(tmp_path, expiry=1.0)
        await opened(tmp_path).report(STACK, "boxes/one", "here")
        async with aclosing(reader.changes(STACK)) as changes:
            async for _ in changes:
                if not (await reader.list(STACK)).documents:
                    break

    run(scenario)


def test_signs_of_life_are_no_change(tmp_path: Path) -> None:
    async def scenario() -> None:
        registry = opened(tmp_path, expiry=0.4)
        await registry.report(STACK, "boxes/one", "here")
        sign = beat(tmp_path / STACK / "documents" / "boxes:one.json")
        folders = (tmp_path / STACK / "documents",)
        before, born = marks(folders, 30.0), sign.stat().st_mtime_ns
        living = asyncio.create_task(registry.supervise())
        await until(lambda: sign.stat().st_mtime_ns > born)
        living.cancel()
        assert marks(folders, 30.0) == before

    run(scenario)


def test_versions_grow_although_a_clock_is_behind(tmp_path: Path) -> None:
    async def scenario() -> None:
        registry = opened(tmp_path)
        await registry.write(STACK, "structure", "{}", None)
        path = tmp_path / STACK / "documents" / "structure.json"
        ahead = json.loads(path.read_text()) | {"version": 1 << 62}
        path.write_text(json.dumps(ahead))
        assert await registry.write(STACK, "structure", "{}", 1 << 62) > 1 << 62

    run(scenario)


def test_a_file_that_nobody_can_read_stops_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        registry = opened(tmp_path)
        await registry.announce(STACK, (announcement(1),))
        await registry.write(STACK, "structure", "{}", None)
        (tmp_path / STACK / "instances" / "torn.json").write_bytes(b"\xff\xfe\x00")
        (tmp_path / STACK / "documents" / "torn.json").write_bytes(b"\xff\xfe\x00")
        (tmp_path / STACK / "documents" / "other.json").write_text('{"text": 5, "version": "x"}')
        listing = await registry.list(STACK)
        assert (len(listing.announcements), set(listing.documents)) == (1, {"structure"})
        assert len(listing.malformed) == 3
        await registry.write(STACK, "other", "{}", 0)
        await registry.announce(STACK, (announcement(1), announcement(2)))
        assert len((await registry.list(STACK)).announcements) == 2

    run(scenario)


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / STACK).mkdir()
        (tmp_path / STACK / "instances").write_text("not a folder")
        await is_down(opened(tmp_path).list(STACK))

    run(scenario)


def test_what_was_found_in_a_folder_that_left_meanwhile_does_not_count(tmp_path: Path) -> None:
    async def scenario() -> None:
        folder = tmp_path / "registry"
        folder.mkdir()

        def replaced() -> str:
            folder.rename(tmp_path / "away")
            folder.mkdir()
            return "a part"

        await is_down(Disk(folder, 30.0).do(replaced))

    run(scenario)


def test_a_disk_that_hangs_is_down_at_the_deadline_and_the_loop_goes_on(tmp_path: Path) -> None:
    pipe = tmp_path / STACK / "instances" / "hangs.json"
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)

    def opened_by_a_reader() -> int | None:
        with suppress(OSError):
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        return None

    async def scenario() -> None:
        asked = asyncio.create_task(opened(tmp_path, deadline=1.0).list(STACK))
        held = await until(opened_by_a_reader)
        await is_down(asked)
        os.close(held)

    run(scenario)


def test_followers_outlive_a_folder_that_comes_and_goes(tmp_path: Path) -> None:
    async def scenario() -> None:
        folder, away = tmp_path / "registry", tmp_path / "away"
        folder.mkdir()
        registry = opened(folder)
        await registry.announce(STACK, [announcement(number) for number in range(100)])
        seen = []

        async def follow() -> None:
            async with aclosing(registry.changes(STACK)) as changes:
                async for _ in changes:
                    seen.append(True)

        following = asyncio.create_task(follow())
        await until(lambda: bool(seen))
        for _ in range(100):
            folder.rename(away)
            await asyncio.sleep(0.001)
            away.rename(folder)
        before = len(seen)
        await registry.announce(STACK, ())
        await until(lambda: len(seen) > before or following.done())
        assert not following.done(), following
        following.cancel()

    run(scenario)
