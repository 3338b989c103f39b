"""Runs a command beside an instance: same environment, folder and control groups."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

from bluegreen.domain.errors import UserError
from bluegreen.drivers.runtimes.process.launcher import Launch

DEADLINE = 600.0
MAX_OUTPUT = 8 << 20


async def execute(launch: Launch, command: Sequence[str], join: Callable[[int], None]) -> tuple[int, str]:
    """Return exit code and output (stdout and stderr together, at most 8 MB of it).

    Raises ``UserError`` (``command_missing``). The command and its children are killed when the
    call is cancelled, and after ten minutes (exit code 137).
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=dict(launch.environment),
            cwd=launch.directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise UserError(
            f"{' '.join(command)} cannot be run: {error.strerror}",
            code="command_missing",
            hint="Give the full path of a command that is installed on this machine.",
        ) from error
    join(process.pid)
    assert process.stdout is not None
    output = bytearray()
    try:
        async with asyncio.timeout(DEADLINE):
            while chunk := await process.stdout.read(64 * 1024):
                output += chunk[: MAX_OUTPUT - len(output)]
            await process.wait()
    except TimeoutError:
        output += b"\nkilled: it took longer than ten minutes\n"
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    code = process.returncode or 0
    return (code if code >= 0 else 128 - code), output.decode(errors="replace")
