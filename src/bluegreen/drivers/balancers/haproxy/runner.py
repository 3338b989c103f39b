"""How HAProxy is brought to life and ended: as a process of this box, or in a container.

:class:`~bluegreen.drivers.balancers.haproxy.process.HaproxyProcess` speaks to the running one in the same
way in both cases; a runner is only what differs. Rule: a runner starts HAProxy on the configuration in
force in ``state_dir``, with the user, the paths, the ports and the process numbers of this box.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from bluegreen.drivers.balancers.haproxy import files, weight_files
from bluegreen.drivers.balancers.haproxy.layout import CANDIDATE, CONFIG, MASTER_SOCKET, STATE_FILE, Layout
from bluegreen.drivers.balancers.haproxy.stats import Workers

Serving = Callable[[str], Awaitable[Workers]]
"""Returns the workers once they serve; is told what HAProxy has said so far."""


class Runner(Protocol):
    restarts: bool
    """Whether somebody else than the controller may start HAProxy: its files must be ready at any time."""

    async def judge(self) -> tuple[int, str]:
        """Let HAProxy check the candidate; return its exit code and its words."""
        ...

    async def launch(self, serving: Serving) -> Workers:
        """End what is left of a former HAProxy, start it anew, and return what ``serving`` returns.

        Raises ``balancer_refused`` with HAProxy's words when it ends instead.
        """
        ...

    async def brings_back(self) -> bool:
        """Whether somebody else is about to start the HAProxy that has just died."""
        ...

    async def end(self, grace: float) -> None:
        """Let requests in flight end for ``grace`` seconds, then end HAProxy for good."""
        ...


def serving_arguments(folder: Path, mode: str) -> list[str]:
    """Return HAProxy's arguments to serve from ``folder`` under a master. ``mode`` is ``-D`` or ``-db``."""
    return ["-W", mode, "-C", str(folder), "-f", CONFIG, "-S", f"unix@{MASTER_SOCKET},mode,600"]


def checking_arguments(folder: Path) -> list[str]:
    return ["-c", "-C", str(folder), "-f", CANDIDATE]


def prepare_files(folder: Path) -> None:
    """Bring the files up to date for a start that is not a reload."""
    files.remove([folder / STATE_FILE])  # how its servers were then says nothing of now
    generation = files.generation_of(files.read(folder / CONFIG))
    weight_files.fold(folder, Layout(generation=generation))
