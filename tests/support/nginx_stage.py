"""The real NGINX on the stage of the balancer contract, with small HTTP instances behind it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from bluegreen.drivers.balancers.nginx import NginxBalancer, Options, open_balancer, processes
from bluegreen.drivers.balancers.nginx.processes import Processes
from tests.support.haproxy_stage import HaproxyStage, Way
from tests.support.strangers_nginx import StrangersNginx
from tests.support.waiting import until

PROCESS: Way = {}


class NginxStage(HaproxyStage):
    """See :class:`bluegreen.testing.balancer_stage.Stage`; the instances are those of HAProxy's stage."""

    balancer: NginxBalancer

    def options(self) -> Options:
        way = {"upstream_keepalive": 1, **self.way}
        return Options(state_dir=self.folder / "state", stop_grace=0.5, **way)

    async def reopen(self) -> NginxBalancer:
        await self._opened.aclose()
        self.balancer = await self._opened.enter_async_context(open_balancer(self.options()))
        return self.balancer

    def found(self) -> Processes:
        """Return the processes of this stage's NGINX, as the driver finds them."""
        if self.way.get("run") == "existing":
            return processes.of_master(self.options().pid_file)
        return processes.of_folder(self.folder / "state")

    async def kill(self) -> None:
        found = self.found()
        assert found.master is not None
        processes.tell([found.master, *found.serving, *found.former], signal.SIGKILL)  # it starts no other


@asynccontextmanager
async def nginx_stage(way: Way = PROCESS) -> AsyncIterator[NginxStage]:
    async with AsyncExitStack() as things:
        folder = Path(things.enter_context(TemporaryDirectory(prefix="bg-")))
        if way.get("run") == "existing":
            stranger = await things.enter_async_context(strangers(folder))
            way = {**way, **stranger.options}
        stage = NginxStage(folder, things, way)
        await stage.reopen()
        try:
            yield stage
        finally:
            await stage.close()


@asynccontextmanager
async def strangers(folder: Path) -> AsyncIterator[StrangersNginx]:
    """Run an NGINX that is not the driver's, with a supervisor that starts it again when it dies."""
    stranger = StrangersNginx(folder / "etc")
    stranger.start()
    watch = asyncio.create_task(stranger.supervise())
    try:
        await until(lambda: bool(processes.of_master(stranger.pid_file).serving))
        yield stranger
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        stranger.end()
