"""The real NGINX on the stage of the balancer contract, with small HTTP instances behind it."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bluegreen.drivers.balancers.nginx import NginxBalancer, Options, open_balancer, processes
from tests.support.haproxy_stage import HaproxyStage


class NginxStage(HaproxyStage):
    """See :class:`bluegreen.testing.balancer_stage.Stage`; the instances are those of HAProxy's stage."""

    balancer: NginxBalancer

    def options(self) -> Options:
        return Options(state_dir=self.folder / "state", stop_grace=0.5)

    async def reopen(self) -> NginxBalancer:
        await self._opened.aclose()
        self.balancer = await self._opened.enter_async_context(open_balancer(self.options()))
        return self.balancer

    async def kill(self) -> None:
        found = processes.of_folder(self.folder / "state")
        assert found.master is not None
        processes.tell([found.master, *found.serving, *found.former], signal.SIGKILL)  # it starts no other


@asynccontextmanager
async def nginx_stage() -> AsyncIterator[NginxStage]:
    async with AsyncExitStack() as things:
        folder = things.enter_context(TemporaryDirectory(prefix="bg-"))
        stage = NginxStage(Path(folder), things, {})
        await stage.reopen()
        try:
            yield stage
        finally:
            await stage.close()
