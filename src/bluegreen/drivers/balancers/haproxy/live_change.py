"""Changes weights and servers of the running HAProxy, and its files with it. No reload.

Called by the driver under its lock. Order: new servers first, then the weights, then servers leave, so
that there is no moment without one that was wanted. Rule: what is written is safely on the disk before
the first command, so that a full disk is found while nothing has changed.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from bluegreen.domain.routing import Pool, Route, Routing
from bluegreen.drivers.balancers.haproxy import files, weight_files
from bluegreen.drivers.balancers.haproxy.change import Change
from bluegreen.drivers.balancers.haproxy.housekeeping import Housekeeping
from bluegreen.drivers.balancers.haproxy.layout import CANDIDATE, CONFIG, Layout
from bluegreen.drivers.balancers.haproxy.members import Members, ServerChange, server_change
from bluegreen.drivers.balancers.haproxy.render import render
from bluegreen.drivers.balancers.haproxy.runtime_api import RuntimeApi
from bluegreen.drivers.balancers.haproxy.weights import encode, map_text
from bluegreen.drivers.proxies.files import unwritable


class LiveChange:
    """See the module. ``carry_out`` raises ``CommandRefused`` when HAProxy wants a reload for it.

    ``startable`` asks for files from which HAProxy may be started at any time by others than us.
    """

    def __init__(
        self,
        folder: Path,
        api: RuntimeApi,
        housekeeping: Housekeeping,
        members: Members,
        startable: bool,
    ) -> None:
        self._folder = folder
        self._api = api
        self._housekeeping = housekeeping
        self._members = members
        self._startable = startable
        self._servers: list[ServerChange] = []

    async def carry_out(
        self, routing: Routing, change: Change, layout: Layout, pool_text: Callable[[Pool], str]
    ) -> None:
        self._servers = [
            server_change(
                after,
                before.servers,
                self._members.of(after.id),
                self._housekeeping.names(after.id),
            )
            for before, after in change.pools
        ]
        config = render(routing, layout, pool_text).config if change.pools else None
        await asyncio.to_thread(self._prepare, config, change.routes, layout)
        await self._command(routing, change.routes, layout)
        if config is not None:
            await asyncio.to_thread(self._commit)

    def commands_for_old_workers(self, change: Change) -> Iterator[str]:
        """Yield what a worker of a former structure should follow, its own names assumed plain."""
        for servers in self._servers:
            yield from servers.commands
            for name in servers.leaving:
                yield f"set server {servers.pool.id}/{name} state maint"
        for route in change.routes:
            yield f"set map {{map}} {route.id} {encode(route.weights)}"

    async def _command(self, routing: Routing, routes: tuple[Route, ...], layout: Layout) -> None:
        for servers in self._servers:
            await self._api.command(servers.commands)
            await self._housekeeping.prove(servers.pool, servers.added)
        if len(routes) == 1:
            (route,) = routes
            await self._api.command([f"set map {layout.routes_map} {route.id} {encode(route.weights)}"])
        elif routes:
            entries = [(route.id, encode(route.weights)) for route in routing.routes.values()]
            await self._api.replace_map(layout.routes_map, entries)
        for servers in self._servers:
            pool = servers.pool
            await self._api.command(f"set server {pool.id}/{name} state maint" for name in servers.leaving)
            gone = [name for name in servers.leaving if name not in servers.replaced]
            self._housekeeping.let_go(pool.id, gone, pool.options.server_timeout)
            # The instance stays: whatever is open to it may take as long as it wants.
            self._housekeeping.let_go(pool.id, servers.replaced, math.inf)
            self._members.set(pool.id, servers.names)

    def _prepare(self, config: str | None, routes: tuple[Route, ...], layout: Layout) -> None:
        if config is not None:
            try:
                files.put(self._folder / CANDIDATE, config)
            except OSError as error:
                files.remove([self._folder / CANDIDATE])
                raise unwritable(self._folder / CANDIDATE, error) from None
        if routes:
            weight_files.append(self._folder, layout, map_text(routes))
            if self._startable:
                weight_files.fold(self._folder, layout)

    def _commit(self) -> None:
        os.replace(self._folder / CANDIDATE, self._folder / CONFIG)
        files.sync_folder(self._folder)
