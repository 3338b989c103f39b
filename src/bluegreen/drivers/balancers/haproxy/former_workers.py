"""Workers of former structures: after a reload they only end the connections they have.

Clients that keep such a connection must still follow a switch, and requests in flight there must still
be counted, so they are told and asked through the master socket. Rule: best effort under a short
deadline; one that does not answer is just ending.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.naming import PoolId
from bluegreen.drivers.balancers.haproxy.cutting import cut
from bluegreen.drivers.balancers.haproxy.layout import routes_map_in
from bluegreen.drivers.balancers.haproxy.observing import in_flight_by_pool
from bluegreen.drivers.balancers.haproxy.runtime_api import RuntimeApi
from bluegreen.drivers.balancers.haproxy.stats import Workers

_DEADLINE = 0.2


class FormerWorkers:
    """See the module."""

    def __init__(self, folder: Path) -> None:
        self._api = RuntimeApi(folder, _DEADLINE)
        self._pids: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self._pids)

    def are_those_of(self, workers: Workers | None) -> None:
        self._pids = workers.old if workers is not None else frozenset()

    async def tell(self, commands: Iterable[str]) -> None:
        """Carry out commands in each; ``{map}`` stands for the name of its file of weights."""
        told = list(commands)
        for pid in self._pids:
            shown = ""
            with suppress(BluegreenError):
                shown = routes_map_in(await self._api.to_old_worker(pid, ["show map"]))
                await self._api.to_old_worker(pid, [command.format(map=shown) for command in told])
            if not shown:
                self._pids -= {pid}

    async def cut(self, pool: PoolId) -> None:
        """Close what is open to the servers of ``pool`` in each."""
        for pid in self._pids:
            with suppress(BluegreenError):
                await cut(partial(self._api.to_old_worker, pid), pool)

    async def in_flight(self) -> dict[PoolId, int]:
        """Return the requests in flight per pool, over all of them."""
        answers = []
        for pid in self._pids:
            with suppress(BluegreenError):
                answers.append(await self._api.to_old_worker(pid, ["show stat -1 2 -1"]))
        return in_flight_by_pool(answers)
