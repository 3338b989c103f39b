"""What HAProxy leaves to be done a little later: taking out servers that left, and early first checks.

*Leaving*: a server in maintenance takes no new request; it is deleted once its last one has ended.
*Probes*: HAProxy checks an added server only after a whole interval. A second server of the same address
that is never chosen (weight 0) and checks every few milliseconds gives HAProxy's own verdict at once;
it goes as soon as it has given it. Rule: everything here happens under the driver's lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from bluegreen.domain.check import CheckKind
from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import Pool, Server, ServerHealth
from bluegreen.drivers.balancers.haproxy.backends import probe_words
from bluegreen.drivers.balancers.haproxy.members import PROBE_SUFFIX
from bluegreen.drivers.balancers.haproxy.runtime_api import RuntimeApi
from bluegreen.drivers.balancers.haproxy.stats import Row, in_flight_of, stat_rows, verdict_of

PROBE_INTERVAL_MS = 20
_PROBE_PATIENCE = 10.0
_MOST_PROBES = 64
"""Probes at one time: beyond that many servers their own intervals are soon enough."""
_FIRST_DELAY, _LONGEST_DELAY = 0.02, 0.25
_NOWHERE = "addr 127.0.0.2 port 1"
"""Any other address: changing it is what makes HAProxy close idle connections at once, which would
otherwise hold up the deletion for up to 15 s (measured with 2.8)."""

Key = tuple[PoolId, str]


@dataclass(slots=True)
class _Leaving:
    deadline: float


@dataclass(slots=True)
class _Probe:
    deadline: float
    told_down: bool = False


class Housekeeping:
    """See the module. Keys are a pool and HAProxy's name of a server."""

    def __init__(self, api: RuntimeApi, lock: asyncio.Lock) -> None:
        self._api = api
        self._lock = lock
        self._leaving: dict[Key, _Leaving] = {}
        self._probes: dict[Key, _Probe] = {}
        self._verdicts: dict[Key, ServerHealth] = {}
        self._wake = asyncio.Event()
        self._delay = _FIRST_DELAY

    async def run(self) -> None:
        """Do what is due until cancelled. A HAProxy that is away is no error: the next round sees."""
        while True:
            if not self._leaving and not self._probes:
                self._wake.clear()
                await self._wake.wait()
            async with self._lock:
                with suppress(BluegreenError):
                    await self._round()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._delay):
                    self._wake.clear()
                    await self._wake.wait()
            self._delay = min(self._delay * 1.5, _LONGEST_DELAY)

    def let_go(self, pool: PoolId, names: Iterable[str], patience: float) -> None:
        """Delete servers that are in maintenance; cut their requests after ``patience`` seconds."""
        deadline = _now() + patience
        for name in names:
            self._leaving[pool, name] = _Leaving(deadline)
            self._verdicts.pop((pool, name), None)
            if self._probes.pop((pool, name), None) is not None:
                self._leaving[pool, name + PROBE_SUFFIX] = _Leaving(deadline)
        self._hurry()

    async def prove(self, pool: Pool, servers: Collection[tuple[str, Server]]) -> None:
        """Have HAProxy check these servers at once. Best effort: their own checks come anyway."""
        if pool.check.kind is CheckKind.NONE or len(self._probes) + len(servers) > _MOST_PROBES:
            return
        for name, server in servers:
            if server.forced_up:
                continue
            target = f"{pool.id}/{name}{PROBE_SUFFIX}"
            added = await self._api.succeeds(
                (
                    f"add server {target} {probe_words(pool, server, PROBE_INTERVAL_MS)}",
                    f"enable health {target}",
                    f"enable server {target}",
                )
            )
            if added:
                self._probes[pool.id, name] = _Probe(_now() + _PROBE_PATIENCE)
        self._hurry()

    def names(self, pool: PoolId) -> set[str]:
        """Return HAProxy's names of servers in this pool that are about to go."""
        return {name for known, name in self._leaving if known == pool}

    def verdict(self, pool: PoolId, name: str) -> ServerHealth:
        """What is known of a server that its own check has not judged yet."""
        return self._verdicts.get((pool, name), ServerHealth.UNCHECKED)

    def remember(self, verdicts: Mapping[Key, ServerHealth]) -> None:
        """Forget everything but these verdicts: the worker is a new one."""
        self._leaving.clear()
        self._probes.clear()
        self._verdicts = dict(verdicts)

    async def _round(self) -> None:
        pools = {pool for pool, _ in (*self._leaving, *self._probes)}
        question = ";".join(f"show stat {pool} 4 -1" for pool in sorted(pools))
        rows = {(PoolId(r["pxname"]), r["svname"]): r for r in stat_rows(await self._api.ask(question))}
        for key in list(self._probes):
            await self._judge(key, rows)
        # All in one exchange: it takes as long as for one. The next round sees who is gone.
        away = [command for key in list(self._leaving) for command in self._dismissal(key, rows.get(key))]
        await self._api.attempt(away)

    async def _judge(self, key: Key, rows: Mapping[Key, Row]) -> None:
        pool, name = key
        probe = self._probes[key]
        own, second = rows.get(key), rows.get((pool, name + PROBE_SUFFIX))
        if own is None or second is None:
            del self._probes[key]
            return
        verdict = verdict_of(second)
        if verdict_of(own) is not ServerHealth.UNCHECKED or verdict is ServerHealth.UP:
            if verdict is ServerHealth.UP and probe.told_down:
                await self._api.succeeds([f"set server {pool}/{name} health up"])
            self._recall(key)
        elif verdict is ServerHealth.DOWN and not probe.told_down:
            # HAProxy believes a new server to be up: do not let it wait for a whole interval.
            probe.told_down = await self._api.succeeds([f"set server {pool}/{name} health down"])
        elif _now() > probe.deadline:
            self._recall(key)
        if verdict is not ServerHealth.UNCHECKED:
            self._verdicts[key] = verdict

    def _recall(self, key: Key) -> None:
        pool, name = key
        del self._probes[key]
        self._leaving[pool, name + PROBE_SUFFIX] = _Leaving(_now() + _PROBE_PATIENCE)

    def _dismissal(self, key: Key, row: Row | None) -> Iterator[str]:
        target = "/".join(key)
        if row is None:
            del self._leaving[key]
        elif in_flight_of(row) == 0:
            yield f"set server {target} state maint"
            yield f"set server {target} {_NOWHERE}"
            yield f"del server {target}"
        elif _now() > self._leaving[key].deadline:
            yield f"shutdown sessions server {target}"

    def _hurry(self) -> None:
        self._delay = _FIRST_DELAY
        self._wake.set()


def _now() -> float:
    return asyncio.get_running_loop().time()
