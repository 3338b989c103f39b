"""The names of the files in the driver's state folder, relative to it.

HAProxy is started inside that folder, so that neither the length nor the spelling of its path
matters to it. Rule: a structure (one *generation*) has its own file of weights, so that renaming the
configuration is the one step that puts a new structure in force.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

CONFIG = "haproxy.cfg"
CANDIDATE = "candidate.cfg"
ADMIN_SOCKET = "admin.sock"
MASTER_SOCKET = "master.sock"
EVENTS_SOCKET = "events.sock"
STATE_FILE = "servers.state"
CONTAINER_MARK = "container"
"""Names the container that runs HAProxy, for a controller whose settings are others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a rendered configuration refers to. Times are seconds. ``request_log``: somebody reads it."""

    generation: int = 1
    old_worker_deadline: float = 600.0
    request_log: bool = False

    @property
    def routes_map(self) -> str:
        return f"routes-{self.generation}.map"

    @property
    def routes_log(self) -> str:
        return f"routes-{self.generation}.log"


def routes_map_in(answer: str) -> str:
    """Return the name of the file of weights that a worker mentions in ``show map``."""
    found = re.search(r"routes-\d+\.map", answer)
    return found.group() if found else ""
