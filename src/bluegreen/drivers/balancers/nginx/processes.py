"""The NGINX processes of one folder: a master, its workers, and those that finish what began before a reload.

Rule: a process is ours when it holds a file of our folder open (its log); no number of a process is ever
remembered in a file. Workers whose master was killed are ours as well: they go on serving.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bluegreen.drivers.balancers.nginx.layout import PID
from bluegreen.drivers.proxies.processes import until_one_ends

POLL = 0.005
"""Seconds between looks at processes that are just changing."""

_KILL_PATIENCE = 1.0
"""Seconds in which the kernel takes a killed process and its ports away."""


@dataclass(frozen=True, slots=True)
class Processes:
    """Numbers of processes. ``serving`` accept connections, ``former`` finish theirs and end."""

    master: int | None
    serving: frozenset[int]
    former: frozenset[int]

    @property
    def all(self) -> frozenset[int]:
        return self.serving | self.former | (frozenset() if self.master is None else {self.master})


def of_folder(folder: Path) -> Processes:
    """Return the processes of ``folder``; without a master ``serving`` are orphans."""
    master: int | None = None
    serving, former = set(), set()
    for pid, title in _titles(folder):
        if title.startswith("nginx: master"):
            master = pid
        elif "shutting down" in title:
            former.add(pid)
        elif title.startswith("nginx: worker process"):
            serving.add(pid)
    return Processes(master, frozenset(serving), frozenset(former))


def of_master(pid_file: Path) -> Processes:
    """Return the processes of the NGINX whose master wrote ``pid_file``; none where that one has ended.

    Quick, whatever else runs on the box; workers of a master that was killed are not among them.
    """
    nobody = Processes(None, frozenset(), frozenset())
    with suppress(OSError, ValueError, psutil.Error):
        master = int(pid_file.read_text())
        if not Path(f"/proc/{master}/cmdline").read_text().startswith("nginx: master"):
            return nobody
        titles = {pid: _title(pid) for pid in _children(master)}
        former = frozenset(pid for pid, title in titles.items() if "shutting down" in title)
        serving = frozenset(pid for pid, title in titles.items() if title.startswith("nginx: worker process"))
        return Processes(master, serving - former, former)
    return nobody


def of_own_master(folder: Path) -> Processes:
    """Return the processes of the master of ``folder`` (see :func:`of_master`), if that is what it is."""
    found = of_master(folder / PID)
    with suppress(OSError):
        if found.master is None or holds_a_file_of(folder, Path(f"/proc/{found.master}/fd")):
            return found
    return Processes(None, frozenset(), frozenset())


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:  # a kernel built without it
        return [child.pid for child in psutil.Process(pid).children()]


def _title(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def _titles(folder: Path) -> Iterator[tuple[int, str]]:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        process = Path("/proc", pid)
        with suppress(OSError):
            if (process / "comm").read_text() == "nginx\n" and holds_a_file_of(folder, process / "fd"):
                yield int(pid), (process / "cmdline").read_text()


def holds_a_file_of(folder: Path, descriptors: Path) -> bool:
    """Return whether a process has a file below ``folder`` open. ``descriptors`` is its ``/proc/PID/fd``.

    What it closes meanwhile says nothing of the rest. Raises ``OSError`` when it has ended.
    """
    for one in os.listdir(descriptors):
        with suppress(FileNotFoundError):
            if os.readlink(descriptors / one).startswith(f"{folder}/"):
                return True
    return False


def tell(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


async def retire(folder: Path) -> None:
    """Have workers without a master accept nothing more; requests in flight end. A hung one is killed."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_KILL_PATIENCE):
            while orphans := (await asyncio.to_thread(of_folder, folder)).serving:
                tell(orphans, signal.SIGQUIT)
                await asyncio.sleep(POLL)
            return
    await end(folder)


async def end(folder: Path, grace: float | None = None) -> None:
    """End all processes of ``folder``: at once, or after ``grace`` seconds for requests in flight."""
    found = await asyncio.to_thread(of_folder, folder)
    gently = [] if grace is None else [(signal.SIGQUIT, grace), (signal.SIGTERM, 1.0)]
    for number, patience in (*gently, (signal.SIGKILL, _KILL_PATIENCE)):
        tell(found.all, number)
        if await _all_gone(found.all, patience):
            break


async def _all_gone(pids: Iterable[int], patience: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            for pid in pids:
                if psutil.pid_exists(pid):
                    await until_one_ends((pid,))
            return True
    return False
