"""The NGINX driver: every change is a configuration, checked, put in the place of the former one, reloaded.

Two workers' generations overlap for a moment at a reload, but a call returns only when none of the former one
accepts connections. What began before ends there. Rule: all changes happen under one lock, and the rename of
the configuration is the one step that counts; if the reload fails after it, it is renamed back.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Collection
from contextlib import suppress

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
from bluegreen.drivers.balancers.nginx.binding import endpoints, require_free
from bluegreen.drivers.balancers.nginx.connections import to_servers
from bluegreen.drivers.balancers.nginx.layout import CANDIDATE, CONFIG, CONTROL_SOCKET, Layout
from bluegreen.drivers.balancers.nginx.memory import Memory
from bluegreen.drivers.balancers.nginx.options import Options
from bluegreen.drivers.balancers.nginx.processes import Processes
from bluegreen.drivers.balancers.nginx.program import NginxProgram, down
from bluegreen.drivers.balancers.nginx.render import Rendering, render
from bluegreen.ports.balancer import Balancer

log = logging.getLogger(__name__)

_RETRY = (0.05, 0.2, 1.0)
"""Seconds between attempts to bring a dead NGINX back, the last one for as long as it takes."""


class NginxBalancer:
    """See the module. Opened by ``open_balancer``; methods as :class:`bluegreen.ports.balancer.Balancer`."""

    name = "nginx"
    checks = False

    def __init__(self, options: Options, program: NginxProgram) -> None:
        self._options = options
        self._folder = options.state_dir
        self._program = program
        self._lock = asyncio.Lock()
        self._memory: Memory | None = None
        self._moved = asyncio.Event()

    # -- apply ---------------------------------------------------------------------------------

    async def apply(self, routing: Routing) -> None:
        async with self._lock:
            running = await self._program.find()
            known = self._known()
            if known is not None and running.master is not None and known.routing == routing:
                self._memory = Memory(routing=routing, former=known.former)
                return
            await self._replace(memory.after(known, routing), known, running)
            self._moved.set()

    def _known(self) -> Memory | None:
        if self._memory is None:
            self._memory = memory.load(self._folder, self._generation())
        return self._memory

    def _generation(self) -> int:
        return files.generation_of(files.read(self._folder / CONFIG))

    async def _replace(self, wanted: Memory, known: Memory | None, running: Processes) -> None:
        generation = self._generation() + 1
        rendering = render(wanted.routing, self._layout(generation))
        held = endpoints(known.routing) if known is not None and running.master is not None else frozenset()
        await asyncio.to_thread(require_free, endpoints(wanted.routing) - held, running.all)
        applied = memory.file_of(generation)
        extra = {CANDIDATE: rendering.config, applied: memory.dump(wanted)}
        await asyncio.to_thread(files.put_all, self._folder, {**rendering.files, **extra})
        await self._program.judge()
        await self._put_in_force(rendering, generation, running)
        self._memory = wanted
        await asyncio.to_thread(files.tidy, self._folder, {*rendering.files, applied})

    async def _put_in_force(self, rendering: Rendering, generation: int, running: Processes) -> None:
        former = files.read(self._folder / CONFIG)
        await asyncio.to_thread(files.rename, self._folder, CANDIDATE, CONFIG)
        try:
            if running.master is None:
                await self._program.start(generation)
            else:
                await self._program.reload(running, generation)
        except BaseException:
            self._memory = None
            if former is None:
                (self._folder / CONFIG).unlink(missing_ok=True)
            else:
                files.put_all(self._folder, {CANDIDATE: former})
                files.rename(self._folder, CANDIDATE, CONFIG)
            raise
        for warning in rendering.warnings:
            log.info("left out: %s", warning)

    def _layout(self, generation: int) -> Layout:
        return Layout(
            generation=generation,
            user="root" if os.geteuid() == 0 else None,  # the folder is the controller's alone
            stream_module=self._options.stream_module,
            old_worker_deadline=self._options.old_worker_deadline,
            control=str(self._folder / CONTROL_SOCKET),
            raw=True,
        )

    # -- observe -------------------------------------------------------------------------------

    async def observe(self, pools: Collection[PoolId] | None = None) -> BalancerFacts:
        running = await self._program.find()
        async with self._lock:
            known = self._known()
        if known is None or running.master is None or await self._program.generation() is None:
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
        failures = 0
        while True:
            self._moved.clear()
            try:
                running = await self._revive()
                failures = 0
            except BluegreenError as error:
                log.warning("NGINX cannot be brought back yet: %s (%s)", error.message, error.code)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_RETRY[min(failures, len(_RETRY) - 1)]):
                        await self._moved.wait()
                failures += 1
                continue
            await self._until_change(running)

    async def _revive(self) -> Processes:
        """Return the running NGINX, started on the configuration in force if need be."""
        async with self._lock:
            running = await self._program.find()
            if running.master is None and (generation := self._generation()):
                return await self._program.start(generation)
            return running

    async def _until_change(self, running: Processes) -> None:
        """Wait for the death of the master, or for another one to have taken its place."""
        async with asyncio.TaskGroup() as tasks:
            waiting: list[asyncio.Task[object]] = [tasks.create_task(self._moved.wait())]
            if running.master is not None:
                waiting.append(tasks.create_task(processes.until_one_ends((running.master,))))
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()

    async def events(self) -> AsyncIterator[BalancerEvent]:
        await asyncio.Event().wait()
        yield BalancerEvent()

    async def cut(self, pool: PoolId) -> None:
        """End the workers of former configurations that have connections to ``pool`` and to no other."""
        running = await self._program.find()
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
            if led & own and not led & (others - own):
                processes.tell((worker,), signal.SIGTERM)

    async def stop(self) -> None:
        async with self._lock:
            await processes.end(self._folder, self._options.stop_grace)
            (self._folder / CONFIG).unlink(missing_ok=True)
            await asyncio.to_thread(files.tidy, self._folder, ())
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
