"""Ports for programs that are told where to listen, so that nobody else has them when they come to it.

A port the kernel gives away (``bind`` to 0) is free only until it is closed: before a program listens
there, any outgoing connection of the machine may get it. Those here are below the range of outgoing
connections and below what :mod:`bluegreen.drivers.runtimes.process.ports` takes, and each is reserved
against other test processes by an abstract unix socket, which ends with its process.
"""

from __future__ import annotations

import random
import socket
from collections import deque

_CANDIDATES = range(10_000, 20_000)
_KEPT = 64
"""Reservations a process holds at once: more than one test ever uses, fewer than would fill a table."""

_reserved: deque[socket.socket] = deque()


def free_port() -> int:
    """Return a port on which nothing listens, TCP or UDP, and that no other test process is given."""
    for port in random.sample(_CANDIDATES, k=1_000):
        if _is_free(port) and _reserve(port):
            return port
    raise AssertionError(f"no free port in {_CANDIDATES}")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("", port))
            except OSError:
                return False
    return True


def _reserve(port: int) -> bool:
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        mark.bind(f"\0bluegreen-tests-port-{port}")
    except OSError:
        mark.close()
        return False
    _reserved.append(mark)
    if len(_reserved) > _KEPT:
        _reserved.popleft().close()
    return True
