"""The output of processes: bounded, complete lines, followed across truncation and to the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bluegreen.drivers.runtimes.process.logs import MAX_LINE, Logs
from bluegreen.testing.waiting import until


def with_logs(folder: Path, scenario: Callable[[Logs], Awaitable[None]], max_size: int = 1000) -> None:
    async def main() -> None:
        logs = Logs(folder, max_size=max_size, pause=0.0)
        try:
            await asyncio.wait_for(scenario(logs), 30)
        finally:
            logs.close()

    asyncio.run(main())


def write(logs: Logs, text: str) -> None:
    with logs.path("web").open("a") as file:
        file.write(text)


def test_the_tail_spans_the_rotated_file_and_cuts_long_lines(tmp_path: Path) -> None:
    async def scenario(logs: Logs) -> None:
        (tmp_path / "web.log.1").write_text("1\n2\n")
        write(logs, "3\r\n" + "x" * (2 * MAX_LINE) + "\n\xff unfinished")
        assert logs.tail("web", 4) == ["2", "3", "x" * MAX_LINE, "\xff unfinished"]
        assert logs.tail("web", 0) == []
        assert logs.tail("never was", 10) == []

    with_logs(tmp_path, scenario)


def test_a_file_that_grew_too_long_is_set_aside_while_it_is_written(tmp_path: Path) -> None:
    async def scenario(logs: Logs) -> None:
        with logs.path("web").open("a") as file:
            logs.keep_short("web")
            for number in range(100):
                file.write(f"line {number} {'x' * 40}\n")
            file.flush()
            await until(lambda: logs.path("web").stat().st_size == 0)
            file.write("after\n")
            file.flush()
            assert logs.path("web").read_text() == "after\n"
        assert logs.tail("web", 2)[0].startswith("line 99 ")

    with_logs(tmp_path, scenario)


def test_a_small_file_is_left_alone_and_wakes_nobody(tmp_path: Path) -> None:
    async def scenario(logs: Logs) -> None:
        write(logs, "small\n")
        logs.keep_short("web")
        logs.keep_short("web")
        assert logs.tail("web", 9) == ["small"]

    with_logs(tmp_path, scenario)


@pytest.mark.parametrize("count", [1, 9])
def test_following_goes_on_after_truncation_and_ends_with_the_file(tmp_path: Path, count: int) -> None:
    async def scenario(logs: Logs) -> None:
        lines: list[str] = []

        async def follow() -> None:
            async for line in logs.follow("web", count):
                lines.append(line)

        write(logs, "old\nbegun ")
        following = asyncio.create_task(follow())
        await until(lambda: lines == ["old"])
        write(logs, "and ended\n")
        write(logs, "more\n")
        await until(lambda: lines == ["old", "begun and ended", "more"])
        logs.path("web").write_text("")
        write(logs, "new\n")
        await until(lambda: lines[-1:] == ["new"])
        logs.forget("web")
        await following

    with_logs(tmp_path, scenario)
