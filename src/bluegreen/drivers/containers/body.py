"""What the Engine is told of a container that lives as if it were a process of the box.

It has the box's network, process numbers and user, and its folder at the same path: so ports, sockets, files
and the watch over its processes are what they are without a container.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BALANCER = "bluegreen.balancer"
STATE_DIR = "bluegreen.state-dir"


def container_name(kind: str, folder: Path) -> str:
    """Return the name of the container for a state folder: always the same, and no other folder's."""
    return f"bluegreen-{kind}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"


def body(
    image: str, kind: str, folder: Path, command: Sequence[str], stop_signal: str, restarts: bool = False
) -> dict[str, Any]:
    """Return the body of the call that creates the container of ``folder``. ``kind`` is the driver's name.

    With ``restarts`` Docker starts it again when it dies or the box starts.
    """
    host: dict[str, Any] = {
        "NetworkMode": "host",
        "PidMode": "host",
        "UsernsMode": "host",
        "ReadonlyRootfs": True,
        "SecurityOpt": ["no-new-privileges"],
        "Mounts": [{"Type": "bind", "Source": str(folder), "Target": str(folder)}],
    }
    if restarts:
        host["RestartPolicy"] = {"Name": "unless-stopped"}
    return {
        "Image": image,
        "Entrypoint": [command[0]],
        "Cmd": list(command[1:]),
        # The controller's own: the sockets and files are for nobody else, whatever the image says.
        "User": f"{os.getuid()}:{os.getgid()}",
        "Labels": {BALANCER: kind, STATE_DIR: str(folder)},
        "StopSignal": stop_signal,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": host,
    }
