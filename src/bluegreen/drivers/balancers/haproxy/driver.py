"""The HAProxy driver: decides how each change is made true, and reads back what is.

Three ways, cheapest first: an entry of the map (a switch), commands for servers, a reload for the rest.
Rule: all changes happen under one lock, files are durable before a call returns, and whatever fails
half-way makes the driver compare with the running HAProxy before it trusts its memory again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import suppress

from bluegreen.domain.errors import BluegreenError, Temporary, UserError
from bluegreen.domain.naming import PoolId, RouteId
from bluegreen.domain.routing import BalancerEvent, BalancerFacts, Routing, ServerHealth
from bluegreen.drivers.balancers.haproxy import files, questions
from bluegreen.drivers.balancers.haproxy.change import Change, change_between
from bluegreen.drivers.balancers.haproxy.cutting import cut
from bluegreen.drivers.balancers.haproxy.former_workers import FormerWorkers
from bluegreen.drivers.balancers.haproxy.housekeeping import Housekeeping
from bluegreen.drivers.balancers.haproxy.layout import CONFIG
from bluegreen.drivers.balancers.haproxy.live_change import LiveChange
from bluegreen.drivers.balancers.haproxy.members import Members
from bluegreen.drivers.balancers.haproxy.notices import Notices
from bluegreen.drivers.balancers.haproxy.observing import Key, Tables, as_it_runs, pool_facts
from bluegreen.drivers.balancers.haproxy.options import Options
from bluegreen.drivers.balancers.haproxy.process import HaproxyProcess
from bluegreen.drivers.balancers.haproxy.render import PoolTexts, render, structure_of
from bluegreen.drivers.balancers.haproxy.request_stream import RequestStream
from bluegreen.drivers.balancers.haproxy.runner import Runner
from bluegreen.drivers.balancers.haproxy.runtime_api import CommandRefused, RuntimeApi, down
from bluegreen.drivers.balancers.haproxy.stats import Workers
from bluegreen.drivers.balancers.haproxy.structure import Structure, state_to_keep
from bluegreen.drivers.balancers.haproxy.weights import parse_map
from bluegreen.drivers.proxies.binding import endpoints, require_free
from bluegreen.drivers.proxies.validation import validate
from bluegreen.ports.balancer import Balancer
from bluegreen.ports.requests import Batch, RequestLog

log = logging.getLogger(__name__)

_PORT_PATIENCE = 3.0
"""Seconds in which the ports of a HAProxy that has just died become free, even on a busy machine."""
_RETRY = (0.05, 0.2, 1.0)
"""Seconds between attempts to bring a dead HAProxy back, the last one for as long as it takes."""


class HaproxyBalancer:
    """See the module. Opened by ``open_balancer``; methods as :class:`bluegreen.ports.balancer.Balancer`."""

    name = "haproxy"
    checks = True

    def __init__(self, options: Options, runner: Runner) -> None:
        self._options = options
        self._runner = runner
        self._api = api = RuntimeApi(options.state_dir, options.deadline)
        self._process = HaproxyProcess(options, runner, api)
        self._structure = Structure(options, runner, self._process)
        self._lock = asyncio.Lock()
        self._texts = PoolTexts()
        self._applied: Routing | None = None
        self._members: Members | None = None
        self._layout = self._structure.layout()
        self._shown: tuple[str, dict[RouteId, dict[PoolId, int]]] = ("", {})
        self._former = FormerWorkers(options.state_dir)
        self._known_worker = 0
        self._moved = asyncio.Event()
        self._notices = Notices(options.state_dir, lambda: self._members)
        self._requests = RequestStream(api, self._process.answers)
        self.housekeeping = Housekeeping(api, self._lock)

    # -- apply ---------------------------------------------------------------------------------

    async def apply(self, routing: Routing) -> None:
        async with self._lock:
            if self._applied is None:
                await self._converge(routing)
                return
            change = change_between(self._applied, routing)
            changed = (after for _, after in change.pools)
            if change.structure:
                validate(routing, routing.routes.values(), routing.pools.values())
            else:
                validate(routing, change.routes, changed)
            await self._carry_out(routing, change)

    async def _converge(self, routing: Routing) -> None:
        """Apply without trusting memory: compare with the files and the running HAProxy."""
        validate(routing, routing.routes.values(), routing.pools.values())
        workers = await self._process.find()
        if workers is None:
            await self._restructure(routing, None, None)
            return
        await self._adopt(workers)
        same = render(routing, self._layout, self._texts)
        on_disk = await asyncio.to_thread(self._structure.in_force)
        if on_disk is None or structure_of(same.config) != structure_of(on_disk):
            await self._restructure(routing, workers, None)
            return
        try:
            running = await self._as_it_runs(routing)
        except CommandRefused:
            await self._restructure(routing, workers, None)
            return
        await self._carry_out(routing, change_between(running, routing))

    async def _carry_out(self, routing: Routing, change: Change) -> None:
        former, self._applied = self._applied, None
        if change.is_nothing or change.structure:
            workers = await self._process.find()
            if change.structure or workers is None:
                try:
                    await self._restructure(routing, workers, former)
                except BluegreenError as error:
                    if error.code in ("balancer_refused", "port_taken", "port_forbidden"):
                        self._applied = former  # nothing has changed
                    raise
                return
            self._applied = routing
            return
        try:
            await self._change_live(routing, change)
        except CommandRefused as error:
            log.info("HAProxy refuses at run time, reloading instead: %s", error)
            await self._restructure(routing, await self._process.find(), former)
        except Temporary as error:
            if error.code != "balancer_down":
                raise
            await self._converge(routing)
            return
        self._applied = routing

    async def _change_live(self, routing: Routing, change: Change) -> None:
        assert self._members is not None
        live = LiveChange(
            self._options.state_dir, self._api, self.housekeeping, self._members, self._runner.restarts
        )
        await live.carry_out(routing, change, self._layout, self._texts)
        if self._former:
            await self._former.tell(live.commands_for_old_workers(change))

    async def _restructure(self, routing: Routing, workers: Workers | None, former: Routing | None) -> None:
        await self._require_ports(routing, workers, former)
        state, verdicts = await self._health_to_keep(routing) if workers else ("1\n", {})
        fresh = await self._structure.replace(routing, self._texts, workers, state)
        self._settle(routing, fresh, verdicts)
        for pool in routing.pools.values():
            unknown = [(s.name, s) for s in pool.servers if not verdicts.get((pool.id, s.name))]
            with suppress(BluegreenError):
                await self.housekeeping.prove(pool, unknown)

    async def _require_ports(self, routing: Routing, workers: Workers | None, former: Routing | None) -> None:
        held = endpoints(former) if former is not None and workers else frozenset()
        # A HAProxy that was just killed may hold its ports for another moment, or be brought back meanwhile.
        patience = asyncio.get_running_loop().time() + (0.0 if workers else _PORT_PATIENCE)
        while True:
            own = await self._process.numbers()  # those of a dead one as well: a start ends them
            try:
                await asyncio.to_thread(require_free, endpoints(routing) - held, own)
                return
            except UserError as error:
                if error.code != "port_taken" or asyncio.get_running_loop().time() >= patience:
                    raise
            await asyncio.sleep(0.05)

    def _settle(self, routing: Routing, workers: Workers, verdicts: dict[Key, ServerHealth]) -> None:
        """Remember a worker that has just read the files of ``routing``."""
        self._members = Members.plain(routing)
        self._layout = self._structure.layout()
        self._know(workers)
        self.housekeeping.remember(verdicts)
        self._applied = routing
        self._moved.set()

    async def _health_to_keep(self, routing: Routing) -> tuple[str, dict[Key, ServerHealth]]:
        """Return the state of servers that stay as they are, for the next worker and for us."""
        if self._members is None:
            return "1\n", {}
        tables = Tables(await self._api.ask("show stat -1 4 -1"), await self._api.ask("show servers state"))
        kept: dict[Key, str] = {}
        verdicts: dict[Key, ServerHealth] = {}
        for pool in routing.pools.values():
            members = self._members.of(pool.id)
            for server in pool.servers:
                key = (pool.id, members.get(server.name, ""))
                checked = self._members.are_checked(pool.id)
                if tables.has(key) and tables.server(key, server.name, checked) == server:
                    kept[key] = server.name
                    verdict = tables.health(key)
                    if verdict is ServerHealth.UNCHECKED:
                        verdict = self.housekeeping.verdict(*key)
                    if verdict is not ServerHealth.UNCHECKED:
                        verdicts[pool.id, server.name] = verdict
        return state_to_keep(await self._api.ask("show servers state"), kept), verdicts

    # -- observe -------------------------------------------------------------------------------

    async def observe(self, pools: Collection[PoolId] | None = None) -> BalancerFacts:
        while True:
            layout = self._layout
            members = await self._known_members()
            facts = await self._look(members, pools)
            if facts is not None and layout is self._layout:
                return facts
            async with self._lock:  # a reload is under way: look at what comes out of it
                self._members = None if layout is self._layout else self._members

    async def _look(self, members: Members, pools: Collection[PoolId] | None) -> BalancerFacts | None:
        asked = [p for p in (members.pools if pools is None else pools) if p in members.pools]
        shown, tables = await questions.ask(self._api, self._layout.routes_map, asked)
        if "Unknown map" in shown:
            return None
        elsewhere: dict[PoolId, int] = {}
        if self._former and asked:
            self._former.are_those_of(await self._process.find())
            elsewhere = await self._former.in_flight()
        verdict = self.housekeeping.verdict
        found = {p: pool_facts(p, members, tables, verdict, elsewhere.get(p, 0)) for p in asked}
        if shown != self._shown[0]:
            self._shown = shown, parse_map(shown)
        return BalancerFacts(weights=self._shown[1], pools=found)

    async def _known_members(self) -> Members:
        if self._members is not None:
            return self._members
        async with self._lock:
            if self._members is None:
                workers = await self._process.find()
                if workers is None:
                    raise down("no HAProxy answers on the master socket")
                await self._adopt(workers)
            assert self._members is not None
            return self._members

    # -- life ----------------------------------------------------------------------------------

    async def supervise(self) -> None:
        failures = 0
        while True:
            self._moved.clear()
            try:
                workers = await self._revive()
                failures = 0
            except BluegreenError as error:
                log.warning("HAProxy cannot be brought back yet: %s (%s)", error.message, error.code)
                await self._moved_within(_RETRY[min(failures, len(_RETRY) - 1)])
                failures += 1
                continue
            await self._until_change(workers)

    def events(self) -> AsyncIterator[BalancerEvent]:
        return self._notices.events()

    async def requests(self) -> AsyncIterator[Batch]:
        if self._options.request_log:
            async for batch in self._requests.batches():
                yield batch

    async def cut(self, pool: PoolId) -> None:
        await cut(self._api.attempt, pool)
        self._former.are_those_of(await self._process.find())
        await self._former.cut(pool)

    async def stop(self) -> None:
        async with self._lock:
            self._requests.hang_up()
            await self._process.stop(self._options.stop_grace)
            await asyncio.to_thread(files.remove, [self._options.state_dir / CONFIG])
            self._applied = self._members = None
            self._layout = self._structure.layout()
            self.housekeeping.remember({})

    async def _revive(self) -> Workers | None:
        """Return the running HAProxy, started on the files in force if need be; ``None`` without files."""
        async with self._lock:
            workers = await self._process.find()
            if workers is not None and workers.current == self._known_worker:
                return workers
            if workers is None:
                if await asyncio.to_thread(self._structure.in_force) is None:
                    return None
                workers = await self._process.revive()
            # Started by us or by Docker, it has read the files anew, and nothing else is true of it.
            self._know(workers)
            self.housekeeping.remember({})
            self._members = None if self._applied is None else Members.plain(self._applied)
            return workers

    def _know(self, workers: Workers) -> None:
        if workers.current != self._known_worker:
            self._notices.lost()
            self._requests.hang_up()
        self._known_worker = workers.current
        self._former.are_those_of(workers)

    async def _until_change(self, workers: Workers | None) -> None:
        """Wait for the death of a process, or for another one to have taken its place."""
        async with asyncio.TaskGroup() as tasks:
            moved = tasks.create_task(self._moved.wait())
            if workers is not None:
                death = tasks.create_task(self._process.death(workers))
                await asyncio.wait((moved, death), return_when=asyncio.FIRST_COMPLETED)
                death.cancel()
            else:
                await moved
            moved.cancel()

    async def _moved_within(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._moved.wait()

    async def _adopt(self, workers: Workers) -> None:
        """Learn from the files and the running worker which servers there are, and which only linger."""
        config = await asyncio.to_thread(self._structure.in_force) or ""
        self._layout = await asyncio.to_thread(self._structure.layout)
        tables = Tables("", await self._api.ask("show servers state"))
        running: dict[PoolId, list[str]] = {}
        for pool, name in tables.state:
            running.setdefault(pool, []).append(name)
        self._members = Members.adopted(config, running)
        self._know(workers)
        for pool, names in running.items():
            lingering = self._members.lingering(pool, names)
            await self._api.succeeds(f"set server {pool}/{name} state maint" for name in lingering)
            self.housekeeping.let_go(pool, lingering, self._options.old_worker_deadline)

    async def _as_it_runs(self, routing: Routing) -> Routing:
        """Return ``routing`` with the weights and servers that the running HAProxy has.

        Raises ``CommandRefused`` when its routes or pools are not those of ``routing``.
        """
        assert self._members is not None
        shown = parse_map(await self._api.ask(f"show map {self._layout.routes_map}"))
        if shown.keys() != routing.routes.keys():
            raise CommandRefused("the running worker has other routes than its file")
        tables = Tables("", await self._api.ask("show servers state"))
        return as_it_runs(routing, shown, self._members, tables)


_: type[Balancer] = HaproxyBalancer
_log: type[RequestLog] = HaproxyBalancer
