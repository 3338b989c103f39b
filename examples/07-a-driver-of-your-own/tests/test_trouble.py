"""What the contract cannot know: this registry's lock, its signs of life, and what it costs to be told."""

from __future__ import annotations

import asyncio
import fcntl
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from bluegreen_folder import FolderRegistry
from bluegreen_folder.files import beat, marks

from bluegreen.domain.errors import Temporary
from bluegreen.testing.waiting import until

STACK = "shop"


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(main())


def opened(folder: Path, *, expiry: float = 30.0) -> FolderRegistry:
    return FolderRegistry(folder, 0.02, expiry, deadline=0.2)


def test_whoever_is_frozen_with_the_lock_freezes_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        with (tmp_path / ".lock").open("w") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with pytest.raises(Temporary) as told:
                await opened(tmp_path).write(STACK, "structure", "{}", None)
        assert told.value.code == "registry_down"
        assert "another process" in str(told.value.evidence)
        await opened(tmp_path).write(STACK, "structure", "{}", None)

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
        before, born = marks(tmp_path / STACK, 30.0), sign.stat().st_mtime_ns
        living = asyncio.create_task(registry.supervise())
        await until(lambda: sign.stat().st_mtime_ns > born)
        living.cancel()
        assert marks(tmp_path / STACK, 30.0) == before

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
