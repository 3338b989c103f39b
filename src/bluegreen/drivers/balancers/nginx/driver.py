"""The NGINX driver: every change is a configuration, checked, put in the place of the former one, reloaded.

Two workers' generations overlap for a moment at a reload, but a call returns only when none of the former one
accepts connections. What began before ends there. How NGINX is told is its keeper's
(:mod:`bluegreen.drivers.balancers.nginx.keeper`). Rule: all changes happen under one lock.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from pathlib import Path

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import (
    BalancerEvent,
    BalancerFacts,
    PoolFacts,
    Routing,
    Server,
    ServerFacts,
    ServerHealth,
)
from bluegreen.drivers.balancers.nginx import files, memory, processes
from bluegreen.drivers.balancers.nginx.complaints import down
from bluegreen.drivers.balancers.nginx.connections import elsewhere, to_servers
from bluegreen.drivers.balancers.nginx.keeper import Keeper
from bluegreen.drivers.balancers.nginx.memory import Memory
from bluegreen.drivers.balancers.nginx.processes import Processes
from bluegreen.drivers.proxies.binding import endpoints, require_free
from bluegreen.drivers.proxies.processes import until_one_ends
from bluegreen.ports.balancer import Balancer

log = logging.getLogger(__name__)

_RETRY = (0.05, 0.2, 1.0)
"""Seconds between attempts to bring a dead NGINX back, the last one for as long as it takes."""


class NginxBalancer:
    """See the module. Opened by ``open_balancer``; methods as :class:`bluegreen.ports.balancer.Balancer`."""

    name = "nginx"
    checks = False

    def __init__(self, folder: Path, keeper: Keeper) -> None:
        self._folder = folder
        self._keeper = keeper
        self._lock = asyncio.Lock()
        self._memory: Memory | None = None
        self._moved = asyncio.Event()

    # -- apply ---------------------------------------------------------------------------------

    async def apply(self, routing: Routing) -> None:
        async with self._lock:
            running = await self._keeper.find()
            known, ours = self._known(), self._memory is not None
            same = known is not None and running.master is not None and known.routing == routing
            if known is not None and same and (ours or await self._is_loaded()):
                self._memory = Memory(routing=routing, former=known.former)
                return
            await self._replace(memory.after(known, routing), known, running)
            self._moved.set()

    async def _is_loaded(self) -> bool:
        """Whether what is on disk is what answers: a controller may have died between the two."""
        return await self._keeper.answers() == await asyncio.to_thread(self._keeper.generation)

    def _known(self) -> Memory | None:
        """Return what was last applied; remembered only once it is known to be loaded."""
        return self._memory or memory.load(self._folder, self._keeper.generation())

    async def _replace(self, wanted: Memory, known: Memory | None, running: Processes) -> None:
        generation = await asyncio.to_thread(self._keeper.generation) + 1
        held = endpoints(known.routing) if known is not None and running.master is not None else frozenset()
        await asyncio.to_thread(require_free, endpoints(wanted.routing) - held, running.all)
        applied = {memory.file_of(generation): memory.dump(wanted)}
        await asyncio.to_thread(files.put_all, self._folder, applied)
        self._memory = None  # when this fails, what is on disk decides
        await self._keeper.replace(wanted.routing, generation, running)
        self._memory = wanted

    # -- observe -------------------------------------------------------------------------------

    async def observe(self, pools: Collection[PoolId] | None = None) -> BalancerFacts:
        running = await self._keeper.find(orphans=True)
        async with self._lock:
            known = self._known()
        if known is None or running.master is None or await self._keeper.answers() is None:
            raise down(self._folder)
        asked = [
            key for key in (known.routing.pools if pools is None else pools) if key in known.routing.pools
        ]
        open_connections = await asyncio.to_thread(to_servers, running.all) if asked else {}
        weights = {key: dict(route.weights) for key, route in known.routing.routes.items()}
        found = {}
        for key in asked:
            servers = known.routing.pools[key].servers
            seen = tuple(_facts(server, open_connections) for server in servers)
            elsewhere = sum(open_connections.get(address, 0) for address in known.former.get(key, ()))
            total = sum(server.in_flight for server in seen) + elsewhere
            found[key] = PoolFacts(id=key, servers=seen, in_flight=total)
        return BalancerFacts(weights=weights, pools=found)

    # -- life ----------------------------------------------------------------------------------

    async def supervise(self) -> None:
        failures, told = 0, ""
        while True:
            self._moved.clear()
            try:
                running = await self._revive()
                failures, told = 0, ""
            except BluegreenError as error:
                level = logging.WARNING if error.message != told else logging.DEBUG
                log.log(level, "NGINX does not run yet: %s (%s)", error.message, error.code)
                told = error.message
                with suppress(TimeoutError):
                    async with asyncio.timeout(_RETRY[min(failures, len(_RETRY) - 1)]):
                        await self._moved.wait()
                failures += 1
                continue
            await self._until_change(running)

    async def _revive(self) -> Processes:
        """Return the running NGINX, started on the configuration in force if need be."""
        async with self._lock:
            running = await self._keeper.find()
            if running.master is None and (generation := self._keeper.generation()):
                return await self._keeper.revive(generation)
            return running

    async def _until_change(self, running: Processes) -> None:
        """Wait for the death of the master, or for another one to have taken its place."""
        async with asyncio.TaskGroup() as tasks:
            waiting: list[asyncio.Task[object]] = [tasks.create_task(self._moved.wait())]
            if running.master is not None:
                waiting.append(tasks.create_task(until_one_ends((running.master,))))
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()

    async def events(self) -> AsyncIterator[BalancerEvent]:
        await asyncio.Event().wait()
        yield BalancerEvent()

    async def cut(self, pool: PoolId) -> None:
        """End the workers of former configurations that have connections to ``pool`` and to no other."""
        running = await self._keeper.find(orphans=True)
        async with self._lock:
            known = self._known()
        if known is None or pool not in known.routing.pools:
            return
        own = {(server.host, server.port) for server in known.routing.pools[pool].servers}
        own |= set(known.former.get(pool, ()))
        others = {
            (server.host, server.port)
            for key, other in known.routing.pools.items()
            for server in other.servers
            if key != pool
        }
        for worker in running.former:
            led = set(await asyncio.to_thread(to_servers, (worker,)))
            foreign = elsewhere(worker, running.master) - own if self._keeper.shared else set()
            if led & own and not led & (others - own) and not foreign:
                processes.tell((worker,), signal.SIGTERM)

    async def stop(self) -> None:
        async with self._lock:
            await self._keeper.end()
            self._memory = None


def _facts(server: Server, open_connections: dict[tuple[str, int], int]) -> ServerFacts:
    return ServerFacts(
        name=server.name,
        host=server.host,
        port=server.port,
        admin=server.admin,
        health=ServerHealth.UNCHECKED,
        in_flight=open_connections.get((server.host, server.port), 0),
    )


_: type[Balancer] = NginxBalancer
