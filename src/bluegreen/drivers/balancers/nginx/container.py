"""Runs NGINX in a container that lives as if it were a process of the box.

Docker brings it back when it dies or the box starts, with no controller at hand. Unlike workers of a process,
those of a container end with their master.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from pathlib import Path

from bluegreen.domain.errors import BluegreenError, UserError
from bluegreen.drivers.balancers.nginx import files, processes
from bluegreen.drivers.balancers.nginx.complaints import hung, not_started
from bluegreen.drivers.balancers.nginx.layout import CONTAINER_MARK, CONTROL_SOCKET
from bluegreen.drivers.balancers.nginx.processes import Processes
from bluegreen.drivers.balancers.nginx.runner import Runner, Serving, checking_arguments, serving_arguments
from bluegreen.drivers.containers import body as containers
from bluegreen.drivers.containers.engine_api import EngineApi, Evidence, Tenant

_START = 'rm -f "$1"; shift; exec "$@"'
"""A socket that was left by an NGINX that was killed would keep the next one from starting."""


def _missing(evidence: Evidence) -> UserError:
    return UserError(
        "the image has no program `nginx`",
        code="nginx_missing",
        hint="Name an image of NGINX with BLUEGREEN_NGINX_IMAGE.",
        evidence=evidence,
    )


NGINX = Tenant(name="NGINX", variable="BLUEGREEN_NGINX_IMAGE", missing=_missing)


class ContainerRunner:
    """See the module, and :class:`bluegreen.drivers.balancers.nginx.runner.Runner`.

    Raises what :class:`~bluegreen.drivers.containers.engine_api.EngineApi` raises.
    """

    def __init__(self, engine: EngineApi, image: str, folder: Path, deadline: float) -> None:
        self._engine = engine
        self._image = image
        self._folder = folder
        self._deadline = deadline
        self.name = container_name(folder)

    async def judge(self) -> tuple[int, str]:
        command = ["nginx", *checking_arguments(self._folder)]
        # Where it runs already a check costs little; the first one needs a container of its own.
        judged = await self._engine.execute(self.name, command)
        return await self._judge_apart(command) if judged is None else judged

    async def launch(self, serving: Serving) -> Processes:
        await self._engine.remove(self.name)
        await processes.retire(self._folder)
        await asyncio.to_thread(files.put_all, self._folder, {CONTAINER_MARK: self.name})
        control = str(self._folder / CONTROL_SOCKET)
        nginx = ["nginx", *serving_arguments(self._folder), "-g", "daemon off;"]
        body = self._body(["sh", "-c", _START, "sh", control, *nginx], restarts=True)
        await self._engine.create(self.name, body)
        try:
            async with self._engine.exit_of(self.name) as ended:
                await self._engine.start(self.name)
                return await self._first(asyncio.ensure_future(serving()), ended)
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
        await processes.end(self._folder, grace or None)  # one from before it ran in a container
        (self._folder / CONTAINER_MARK).unlink(missing_ok=True)

    async def _judge_apart(self, command: list[str]) -> tuple[int, str]:
        try:
            return await self._engine.run(f"{self.name}-check", self._body(command), self._deadline)
        except TimeoutError:
            raise hung(self._deadline) from None

    def _body(self, command: list[str], restarts: bool = False) -> dict[str, object]:
        return containers.body(self._image, "nginx", self._folder, command, "SIGQUIT", restarts)

    async def _first(self, up: asyncio.Future[Processes], ended: asyncio.Future[int]) -> Processes:
        try:
            await asyncio.wait((up, ended), return_when=asyncio.FIRST_COMPLETED)
            if up.done():
                return up.result()
            raise not_started(await self._engine.words(self.name))
        finally:
            up.cancel()


def container_name(folder: Path) -> str:
    return containers.container_name("nginx", folder)


_: type[Runner] = ContainerRunner
