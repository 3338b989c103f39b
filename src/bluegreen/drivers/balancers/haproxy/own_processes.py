"""The processes of one state folder: found by their arguments, watched and ended by the kernel's means.

Used by what starts and stops HAProxy. Rule: a process is ours when its arguments name our folder; no
number of a process is ever remembered in a file. A container that shares the box's process numbers is
seen just the same.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from bluegreen.drivers.balancers.haproxy.layout import CONFIG
from bluegreen.drivers.proxies.processes import until_one_ends

_KILL_PATIENCE = 1.0
"""Seconds in which the kernel takes a killed process and its ports away."""


def of_folder(folder: Path) -> list[psutil.Process]:
    """Return every HAProxy that was started for ``folder``, whether it answers or not."""
    wanted = f"\0-C\0{folder}\0-f\0{CONFIG}\0".encode()
    found = []
    for entry in os.scandir("/proc"):
        with suppress(OSError, psutil.NoSuchProcess):
            if entry.name.isdigit() and wanted in Path(entry.path, "cmdline").read_bytes():
                found.append(psutil.Process(int(entry.name)))
    return found


def numbers(folder: Path) -> set[int]:
    return {process.pid for process in of_folder(folder)}


def alive(pid: int) -> bool:
    """Whether the process exists and is more than an entry waiting to be collected by its parent."""
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


async def end(folder: Path, grace: float | None = None) -> None:
    """End what :func:`of_folder` finds: at once, or after ``grace`` seconds for requests in flight."""
    everybody = await asyncio.to_thread(of_folder, folder)
    gently = [] if grace is None else [(signal.SIGUSR1, grace), (signal.SIGTERM, 1.0)]
    for number, patience in (*gently, (signal.SIGKILL, _KILL_PATIENCE)):
        for process in everybody:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        if await _all_gone(everybody, patience):
            break


async def _all_gone(processes: list[psutil.Process], patience: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            for process in processes:
                if process.is_running():
                    await until_one_ends((process.pid,))
            return True
    return False
