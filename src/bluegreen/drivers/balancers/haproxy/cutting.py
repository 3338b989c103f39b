"""Closes what is open to the servers of a pool: requests in flight, tunnels, event streams.

Called by the driver and for workers of former structures. Rule: HAProxy itself is asked who there is, so that
servers about to go, twins and names of former structures are cut as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from bluegreen.domain.naming import PoolId
from bluegreen.drivers.balancers.haproxy.stats import state_rows


def who_is_there(pool: PoolId) -> str:
    return f"show servers state {pool}"


def cutting_commands(pool: PoolId, answer: str) -> Iterator[str]:
    """Yield the commands for those of ``answer``, which is what :func:`who_is_there` asks for."""
    for row in state_rows(answer):
        yield f"shutdown sessions server {pool}/{row['srv_name']}"
