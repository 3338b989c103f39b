"""Typing commands: shown as they are typed, and ended whatever happens."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from pathlib import Path

import psutil
import pytest

from bluegreen.demo.commands import Shell
from bluegreen.demo.story import Story
from bluegreen.domain.errors import Permanent
from bluegreen.load.report import ASCII
from tests.support.waiting import until


def shell(folder: Path, stream: io.StringIO, program: str, deadline: float = 30.0) -> Shell:
    return Shell(
        story=Story(stream, ASCII),
        environment=dict(os.environ),
        folder=folder,
        deadline=deadline,
        program=(sys.executable, "-c", program),
    )


def test_a_command_is_shown_as_typed_with_all_it_says(tmp_path: Path) -> None:
    stream = io.StringIO()
    program = "import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr)"
    began, ended = asyncio.run(shell(tmp_path, stream, program).type("service", "redeploy", "lbx"))
    assert began < ended
    assert stream.getvalue() == "$ bluegreen service redeploy lbx\nout\nerr\n"


def test_a_failed_command_says_which_how_and_why(tmp_path: Path) -> None:
    program = "import sys; print('the port is taken'); sys.exit(3)"
    with pytest.raises(Permanent) as caught:
        asyncio.run(shell(tmp_path, io.StringIO(), program).type("up"))
    assert caught.value.code == "demo_command_failed"
    assert "bluegreen up" in caught.value.message
    assert "3" in caught.value.message
    assert ("it said", "the port is taken") in caught.value.evidence


def test_a_command_that_hangs_is_ended_with_what_it_said(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    program = f"{deaf}; import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    stream = io.StringIO()
    with pytest.raises(Permanent) as caught:
        asyncio.run(shell(tmp_path, stream, program, deadline=2.0).type("up"))
    pid = int(stream.getvalue().splitlines()[1])
    assert not psutil.pid_exists(pid)
    assert "did not end" in caught.value.message


def test_a_cancelled_command_is_ended(tmp_path: Path) -> None:
    stream = io.StringIO()
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"

    async def main() -> int:
        typing = asyncio.ensure_future(shell(tmp_path, stream, program).type("up"))
        await until(lambda: len(stream.getvalue().splitlines()) > 1)
        typing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await typing
        return int(stream.getvalue().splitlines()[1])

    assert not psutil.pid_exists(asyncio.run(main()))
