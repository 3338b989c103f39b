"""Closes what is open to the servers of a pool: requests in flight, tunnels, event streams.

Called by the driver, for the worker that accepts and for those of former structures, which refuse commands
about servers. Rule: HAProxy itself is asked what is open, so that servers about to go, twins and names of
former structures are cut as well; and it is asked again, because HAProxy before 3.0 takes the end of a
request that was not answered yet for an instance's, and sends it again for as often as the pool's retries.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable

from bluegreen.domain.naming import PoolId

Tell = Callable[[Iterable[str]], Awaitable[str]]
"""Sends commands to one worker and returns its answers."""

_STREAM = re.compile(
    r"(?P<id>0x[0-9a-f]+): .*\bsrc=(?P<client>\S+) .*\bbe=(?P<pool>\S+) srv=(?P<server>\S+) "
)
_NO_SERVER = "<none>"
_ROUNDS = 50
_PAUSE = 0.01


async def cut(tell: Tell, pool: PoolId) -> None:
    """Close what is open now in one worker, and what comes of it. What is new meanwhile is let be."""
    doomed = streams(pool, await tell(["show sess"]))
    for _ in range(_ROUNDS):
        if not doomed:
            return
        await tell([f"shutdown session {stream}" for stream, _ in sorted(doomed)])
        await asyncio.sleep(_PAUSE)
        doomed &= streams(pool, await tell(["show sess"]))


def streams(pool: PoolId, answer: str) -> set[tuple[str, str]]:
    """Return what ``show sess`` says is open to servers of ``pool``: number and client of each."""
    return {
        (found["id"], found["client"])
        for found in map(_STREAM.match, answer.splitlines())
        if found is not None and found["pool"] == pool and found["server"] != _NO_SERVER
    }
