"""The HAProxy processes: one master in its own session, its worker, and workers of former structures.

They outlive the controller; a new one finds them by what answers on the master socket. Rule: a process is
ours when its arguments name our folder; no number of a process is ever remembered in a file.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from bluegreen.domain.errors import BluegreenError, Temporary
from bluegreen.drivers.balancers.haproxy import files, weight_files
from bluegreen.drivers.balancers.haproxy.binary import alerts, execute
from bluegreen.drivers.balancers.haproxy.layout import (
    CONFIG,
    MASTER_SOCKET,
    STATE_FILE,
    Layout,
)
from bluegreen.drivers.balancers.haproxy.options import Options
from bluegreen.drivers.balancers.haproxy.runtime_api import CommandRefused, RuntimeApi
from bluegreen.drivers.balancers.haproxy.stats import Workers, workers_of
from bluegreen.drivers.balancers.haproxy.words import refused

_POLL = 0.002
"""Seconds between looks at a process that is just starting or ending."""


class HaproxyProcess:
    """See the module."""

    def __init__(self, options: Options, binary: str, api: RuntimeApi) -> None:
        self._options = options
        self._binary = binary
        self._folder = options.state_dir
        self._api = api
        self._patient = RuntimeApi(options.state_dir, options.start_deadline)

    async def find(self) -> Workers | None:
        """Return the running processes, ``None`` when there are none. Raises ``balancer_hung``."""
        try:
            workers = workers_of(await self._api.ask("show proc", master=True))
        except Temporary as error:
            if error.code != "balancer_down":
                raise
            return None
        return workers if workers is not None and _alive(workers.current) else None

    async def start(self) -> Workers:
        """Start HAProxy on the configuration in force; return when it answers on both sockets.

        Raises ``balancer_refused`` with its own words.
        """
        await asyncio.to_thread(self._sweep)
        command = [self._binary, "-W", "-D", "-C", str(self._folder), "-f", CONFIG]
        command += ["-S", f"unix@{MASTER_SOCKET},mode,600"]
        code, said = await execute(command, self._folder, self._options.start_deadline)
        if code != 0:
            raise _start_refused(alerts(said) or said.strip()[-500:])
        return await self._serving(lambda _: True, said)

    async def reload(self, before: Workers) -> Workers:
        """Put the configuration in force; return when the new worker answers.

        Raises ``CommandRefused`` with HAProxy's words; the former worker serves on then.
        """
        answer = ""
        with suppress(Temporary):  # before 2.7 the master hangs up instead of reporting
            answer = await self._patient.ask("reload", master=True)
        if "Success=0" in answer:
            raise CommandRefused(alerts(answer) or answer.strip()[-500:])
        return await self._serving(lambda found: found.current != before.current, answer)

    async def stop(self, grace: float) -> None:
        """Let requests in flight end for ``grace`` seconds, then end all processes."""
        everybody = await asyncio.to_thread(self._ours)
        for number, patience in ((signal.SIGUSR1, grace), (signal.SIGTERM, 1.0), (signal.SIGKILL, 1.0)):
            for process in everybody:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
            if await self._all_gone(everybody, patience):
                break

    async def death(self, workers: Workers) -> None:
        """Return as soon as the master or the accepting worker has ended."""
        await until_one_ends((workers.master, workers.current))

    async def _serving(self, is_new: Callable[[Workers], bool], said: str) -> Workers:
        try:
            async with asyncio.timeout(self._options.start_deadline):
                while True:
                    found = await self.find()
                    if found is not None and is_new(found) and await self._answers(found.current):
                        return found
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise _start_refused(
                f"no worker serves after {self._options.start_deadline:g} s\n{said}"
            ) from None

    async def _answers(self, worker: int) -> bool:
        with suppress(BluegreenError):
            shown = re.search(r"^Pid: (\d+)$", await self._api.ask("show info"), re.MULTILINE)
            return shown is not None and int(shown.group(1)) == worker
        return False

    async def _all_gone(self, processes: list[psutil.Process], patience: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                for process in processes:
                    if process.is_running():
                        await until_one_ends((process.pid,))
                return True
        return False

    def _sweep(self) -> None:
        """End what is left of a HAProxy that no longer works, and bring its files up to date."""
        for process in self._ours():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        files.remove([self._folder / STATE_FILE])  # how its servers were then says nothing of now
        generation = files.generation_of(files.read(self._folder / CONFIG))
        weight_files.fold(self._folder, Layout(generation=generation))

    def _ours(self) -> list[psutil.Process]:
        """Return every process that was started for our folder, whether it answers or not."""
        wanted = f"\0-C\0{self._folder}\0-f\0{CONFIG}\0".encode()
        pids = []
        for entry in os.scandir("/proc"):
            with suppress(OSError):
                if entry.name.isdigit() and wanted in Path(entry.path, "cmdline").read_bytes():
                    pids.append(int(entry.name))
        return _processes(pids)


async def until_one_ends(pids: Iterable[int]) -> None:
    """Return as soon as one of the processes has ended (told by the kernel, not polled)."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    watched: list[int] = []
    try:
        for pid in pids:
            watched.append(os.pidfd_open(pid))
            loop.add_reader(watched[-1], ended.set)
        await ended.wait()
    except ProcessLookupError:
        return
    finally:
        for descriptor in watched:
            loop.remove_reader(descriptor)
            os.close(descriptor)


def _processes(pids: Iterable[int]) -> list[psutil.Process]:
    found = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))
    return found


def _alive(pid: int) -> bool:
    """Whether the process exists and is more than an entry waiting to be collected by its parent."""
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def _start_refused(words: str) -> BluegreenError:
    return refused(
        f"HAProxy does not start: {words.splitlines()[0] if words else 'it gave no reason'}",
        "Read HAProxy's words; `bluegreen doctor` shows ports and limits of this machine.",
        ("haproxy", words),
    )
