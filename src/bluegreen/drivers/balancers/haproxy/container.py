"""Runs HAProxy in a container that lives as if it were a process of the box.

It has the box's network, process numbers and user, and the state folder at the same path: so ports,
sockets, files and the watch over its processes are what they are without a container, and a controller
that may not use a port says so before HAProxy is asked. Docker brings it back when it dies or the box
starts, with no controller at hand. Rule: the files must therefore be ready for a start at any moment.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from pathlib import Path

from bluegreen.domain.errors import BluegreenError, Temporary, UserError
from bluegreen.drivers.balancers.haproxy import files, own_processes
from bluegreen.drivers.balancers.haproxy.complaints import complaint, start_refused
from bluegreen.drivers.balancers.haproxy.layout import CONTAINER_MARK
from bluegreen.drivers.balancers.haproxy.runner import (
    Runner,
    Serving,
    checking_arguments,
    prepare_files,
    serving_arguments,
)
from bluegreen.drivers.balancers.haproxy.stats import Workers
from bluegreen.drivers.containers import body as containers
from bluegreen.drivers.containers.engine_api import EngineApi, Evidence, Tenant


def _missing(evidence: Evidence) -> UserError:
    return UserError(
        "the image has no program `haproxy`",
        code="haproxy_missing",
        hint="Name an image of HAProxy with BLUEGREEN_HAPROXY_IMAGE.",
        evidence=evidence,
    )


HAPROXY = Tenant(name="HAProxy", variable="BLUEGREEN_HAPROXY_IMAGE", missing=_missing)


class ContainerRunner:
    """See the module, and :class:`bluegreen.drivers.balancers.haproxy.runner.Runner`.

    Raises what :class:`~bluegreen.drivers.containers.engine_api.EngineApi` raises.
    """

    restarts = True

    def __init__(self, engine: EngineApi, image: str, folder: Path, deadline: float) -> None:
        self._engine = engine
        self._image = image
        self._folder = folder
        self._deadline = deadline
        self.name = container_name(folder)

    async def judge(self) -> tuple[int, str]:
        # In a container of its own: the first check comes before there is one that runs.
        body = self._body(checking_arguments(self._folder))
        try:
            return await self._engine.run(f"{self.name}-check", body, self._deadline)
        except TimeoutError:
            raise Temporary(
                f"HAProxy did not finish its check within {self._deadline:g} s",
                code="balancer_hung",
                hint="See whether the machine is overloaded.",
            ) from None

    async def launch(self, serving: Serving) -> Workers:
        await self._engine.remove(self.name)
        await own_processes.end(self._folder)
        await asyncio.to_thread(self._prepare)
        body = self._body(serving_arguments(self._folder, "-db"), restarts=True)
        await self._engine.create(self.name, body)
        try:
            async with self._engine.exit_of(self.name) as ended:
                await self._engine.start(self.name)
                return await self._first(asyncio.ensure_future(serving("")), ended)
        except BluegreenError:
            with suppress(BluegreenError):
                await self.end(0)  # what does not serve is not to be restarted for ever
            raise

    async def brings_back(self) -> bool:
        found = await self._engine.find(self.name)
        return found is not None and bool(found["State"]["Running"])  # said while it is restarting, too

    async def end(self, grace: float) -> None:
        if grace:
            await self._engine.stop(self.name, math.ceil(grace))
        await self._engine.remove(self.name)
        await own_processes.end(self._folder, grace or None)  # one from before it ran in a container
        await asyncio.to_thread(files.remove, [self._folder / CONTAINER_MARK])

    async def _first(self, up: asyncio.Future[Workers], ended: asyncio.Future[int]) -> Workers:
        try:
            await asyncio.wait((up, ended), return_when=asyncio.FIRST_COMPLETED)
            if up.done():
                return up.result()
            raise start_refused(complaint(await self._engine.words(self.name)))
        finally:
            up.cancel()

    def _body(self, arguments: list[str], restarts: bool = False) -> dict[str, object]:
        command = ["haproxy", *arguments]
        return containers.body(self._image, "haproxy", self._folder, command, "SIGUSR1", restarts)

    def _prepare(self) -> None:
        prepare_files(self._folder)
        files.write(self._folder / CONTAINER_MARK, self.name)


def container_name(folder: Path) -> str:
    return containers.container_name("haproxy", folder)


_: type[Runner] = ContainerRunner
