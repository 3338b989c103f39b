"""How many requests are in flight to which server: counted at the kernel, for NGINX does not say.

Each connection of a worker to a server carries one request, or is kept for the next one for at most the
idle time of the upstream. A worker that finishes after a reload keeps no idle ones: of a pool that lost its
traffic what is counted is what is in flight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import psutil


def to_servers(workers: Iterable[int]) -> Counter[tuple[str, int]]:
    """Return the number of open connections of ``workers`` by the address they lead to."""
    found: Counter[tuple[str, int]] = Counter()
    for pid in workers:
        with suppress(psutil.Error):
            for connection in psutil.Process(pid).net_connections(kind="tcp"):
                if connection.status == psutil.CONN_ESTABLISHED and connection.raddr:
                    found[connection.raddr.ip, connection.raddr.port] += 1
    return found


def elsewhere(worker: int, master: int | None) -> set[tuple[str, int]]:
    """Return the addresses that a worker has connected to; clients came to a port that the master holds."""
    with suppress(psutil.Error):
        held = {one.laddr.port for one in _connections(master or worker, psutil.CONN_LISTEN)}
        seen = _connections(worker, psutil.CONN_ESTABLISHED)
        return {(one.raddr.ip, one.raddr.port) for one in seen if one.laddr.port not in held}
    return set()


def _connections(pid: int, status: str) -> list[Any]:
    return [one for one in psutil.Process(pid).net_connections(kind="tcp") if one.status == status]
