"""Which process is ours: a pid alone is never trusted, because pids are used again.

A process is the same one as long as boot, pid and start time agree (proc(5): field 22 of
``/proc/PID/stat``, in clock ticks since boot). Called by the keeper when it adopts, and for
the processes that an application left behind in its session.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessId:
    """One process, once and for all: ``ticks`` is its start time in clock ticks after boot."""

    pid: int
    ticks: int
    boot: str

    def __str__(self) -> str:
        return f"{self.boot[:8]}-{self.pid}-{self.ticks}"


@cache
def boot_id() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> ProcessId | None:
    """Return who has this pid now (a zombie still has it), ``None`` when nobody does."""
    fields = _stat(pid)
    return None if fields is None else ProcessId(pid=pid, ticks=int(fields[19]), boot=boot_id())


def open_pidfd(process: ProcessId) -> int | None:
    """Return a pidfd of exactly this process, or ``None`` when it is gone.

    The identity is read after the descriptor was opened: what it refers to cannot change then.
    """
    if process.boot != boot_id():
        return None
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    if identify(process.pid) == process:
        return fd
    os.close(fd)
    return None


def session_members(leader: ProcessId) -> list[ProcessId]:
    """Return the living processes of the session that ``leader`` founded, without itself.

    The kernel does not give a pid away while it still names a session, so members can be told
    from strangers even after the leader is gone, unless a stranger has its pid by now.
    """
    now = identify(leader.pid)
    if leader.boot != boot_id() or (now is not None and now != leader):
        return []
    found = []
    for entry in os.listdir(PROC):
        if entry.isdecimal() and int(entry) != leader.pid:
            fields = _stat(int(entry))
            if fields is not None and int(fields[3]) == leader.pid and fields[0] != "Z":
                found.append(ProcessId(pid=int(entry), ticks=int(fields[19]), boot=leader.boot))
    return found


def _stat(pid: int) -> list[str] | None:
    """Return the fields from the third on; the second is a name that may contain anything."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()
