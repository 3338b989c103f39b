"""How an NGINX of our own is brought to life and ended: as a process of this box, or in a container.

Rule: a runner starts NGINX on the configuration in force in ``state_dir``, with the user, the paths, the
ports and the process numbers of this box; all else is the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from bluegreen.drivers.balancers.nginx.layout import CANDIDATE, CONFIG, ERROR_LOG
from bluegreen.drivers.balancers.nginx.processes import Processes

Serving = Callable[[], Awaitable[Processes]]
"""Returns the processes once they serve."""


class Runner(Protocol):
    async def judge(self) -> tuple[int, str]:
        """Let NGINX check the candidate; return its exit code and its words."""
        ...

    async def launch(self, serving: Serving) -> Processes:
        """Start NGINX in the place of what is left of a former one; return what ``serving`` returns.

        Raises ``balancer_refused`` with NGINX's words when it ends instead.
        """
        ...

    async def brings_back(self) -> bool:
        """Whether somebody else is about to start the NGINX that has just died."""
        ...

    async def end(self, grace: float) -> None:
        """Let requests in flight end for ``grace`` seconds, then end NGINX for good."""
        ...


def serving_arguments(folder: Path) -> list[str]:
    return ["-p", str(folder), "-c", CONFIG, "-e", ERROR_LOG]


def checking_arguments(folder: Path) -> list[str]:
    return ["-p", str(folder), "-c", CANDIDATE, "-e", ERROR_LOG, "-t"]
