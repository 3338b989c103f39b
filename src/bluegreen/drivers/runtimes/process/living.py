"""A handle on one living process: wait for its end without polling, signal it, learn its exit code.

Built on a pidfd, so that a signal can never reach a stranger who got the same pid. Works for own
children and for adopted processes alike; only of the former can the exit code be known.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from time import monotonic

from bluegreen.drivers.runtimes.process.identity import ProcessId, open_pidfd, session_members


class LivingProcess:
    """Owns the pidfd; :meth:`close` gives it back and leaves the process alone."""

    def __init__(self, process: ProcessId, fd: int) -> None:
        self.process = process
        self._fd = fd
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(fd, self._readable)

    def _readable(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        self._ended.set()

    async def ended(self) -> None:
        """Wait until the process has ended (it may still be a zombie)."""
        await self._ended.wait()

    def send(self, number: int) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._fd, number)

    def exit_code(self) -> int | None:
        """Return the exit code of an ended child (128 + signal when killed) without reaping it."""
        return _wait(self._fd, os.WNOWAIT)

    def reap(self) -> None:
        """Let go of the zombie, if the process ended and is our child. Its pid is free then."""
        _wait(self._fd, 0)

    def close(self) -> None:
        """Give the handle back; the process is left as it is."""
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)


def adopt(process: ProcessId) -> LivingProcess | None:
    """Return a handle on exactly this process, ``None`` when it is gone."""
    fd = open_pidfd(process)
    return None if fd is None else LivingProcess(process, fd)


def _wait(fd: int, option: int) -> int | None:
    try:
        result = os.waitid(os.P_PIDFD, fd, os.WEXITED | os.WNOHANG | option)
    except ChildProcessError:
        return None
    if result is None or result.si_pid == 0:
        return None
    return result.si_status if result.si_code == os.CLD_EXITED else 128 + result.si_status


async def end_session(leader: ProcessId, number: int, deadline: float) -> None:
    """End what the leader left behind in its session: by signal, after ``deadline`` by SIGKILL.

    ``deadline`` is in :func:`time.monotonic` seconds. Who ends up here outlived the main process,
    as the children of a shell do.
    """
    if deadline > monotonic() and not await _signal_session(leader, number, deadline):
        return
    await _signal_session(leader, signal.SIGKILL, monotonic() + 5.0)


async def _signal_session(leader: ProcessId, number: int, deadline: float) -> bool:
    """Signal the session's members and wait for their end; whether there were any."""
    members = await asyncio.to_thread(session_members, leader)
    handles = [handle for handle in map(adopt, members) if handle is not None]
    try:
        for process in handles:
            process.send(number)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, deadline - monotonic())):
                for process in handles:
                    await process.ended()
    finally:
        for process in handles:
            process.close()
    return bool(handles)
