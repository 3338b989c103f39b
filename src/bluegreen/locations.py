"""Where things are when nobody says otherwise: the state folder and the controller's socket.

Imported by the controller's settings and by the CLI, so it needs nothing but the standard library.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

SOCKET = "bluegreen.sock"
"""Name of the controller's socket within its state folder."""

LOG = "controller.log"
"""Name of the log, within the state folder, of a controller that ``bluegreen up`` started."""


def default_state_dir(environment: Mapping[str, str]) -> Path:
    """Return where a controller keeps its data when nobody says otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/bluegreen")
    base = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "bluegreen"
