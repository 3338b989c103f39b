"""Gives each instance a port of its own.

Taken from below the range that the kernel uses for outgoing connections, so that a port stays
free while its instance is being restarted. Two controllers may choose at the same time: the start
is random, and an application that loses the race ends and comes back with another port.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Collection
from pathlib import Path

from bluegreen.domain.errors import Temporary

LOWEST = 20000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def choose_port(host: str, taken: Collection[int]) -> int:
    """Return a free port that is not in ``taken``. Raises ``Temporary`` (``no_port``)."""
    ephemeral = int(_RANGE.read_text().split()[0])
    candidates = range(LOWEST, ephemeral) if ephemeral - LOWEST >= 1000 else range(LOWEST, 65536)
    for port in random.sample(candidates, k=200):
        if port not in taken and is_free(host, port):
            return port
    raise Temporary(
        f"no free port between {candidates.start} and {candidates.stop - 1}",
        code="no_port",
        hint="Stop what listens on ports there; `ss -ltn` lists it.",
    )


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen on the port now (connections in TIME_WAIT do not matter)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
