"""Finds and ends the processes that still belong to a demo's folder.

The demo takes its stack down in the ordinary way first. This is for the times when that is not
possible (the controller died): instances and balancer outlive their controller by design. A process
belongs to a folder when it works there, writes its output there, or was told so by its environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

_TERM_WITHIN = 3.0
_KILL_WITHIN = 3.0


def find(folder: Path) -> list[psutil.Process]:
    """Return the living processes of ``folder``, without this one."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            ours = process.pid != os.getpid() and any(_inside(place, folder) for place in _places(process))
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def end(folder: Path) -> None:
    """End them: SIGTERM first, SIGKILL for whoever is left after three seconds. Blocks."""
    left = find(folder)
    for process in left:
        with suppress(psutil.Error):
            process.terminate()
    _, stubborn = psutil.wait_procs(left, timeout=_TERM_WITHIN)
    for process in stubborn:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=_KILL_WITHIN)


def _places(process: psutil.Process) -> Iterator[str]:
    yield process.cwd()
    for descriptor in (1, 2):
        with suppress(OSError):
            yield os.readlink(f"/proc/{process.pid}/fd/{descriptor}")
    yield process.environ().get("BLUEGREEN_HOME", "")


def _inside(place: str, folder: Path) -> bool:
    return place == str(folder) or place.startswith(f"{folder}/")
