"""Keeps an NGINX of our own on the files of ``state_dir``; it outlives the controller.

Rule: the rename of the configuration is the one step that counts; if the reload fails after it, it is renamed
back.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress

from bluegreen.domain.routing import Routing
from bluegreen.drivers.balancers.nginx import files, processes
from bluegreen.drivers.balancers.nginx.complaints import not_started, refuses
from bluegreen.drivers.balancers.nginx.keeper import Keeper
from bluegreen.drivers.balancers.nginx.layout import CANDIDATE, CONFIG, CONTROL_SOCKET, ERROR_LOG, Layout
from bluegreen.drivers.balancers.nginx.memory import file_of
from bluegreen.drivers.balancers.nginx.options import Options
from bluegreen.drivers.balancers.nginx.processes import Processes
from bluegreen.drivers.balancers.nginx.render import render
from bluegreen.drivers.balancers.nginx.runner import Runner

log = logging.getLogger(__name__)

_LOOK = 0.1
"""Seconds between looks at whether somebody else still means to start NGINX."""


class OwnNginx:
    """See the module, and :class:`bluegreen.drivers.balancers.nginx.keeper.Keeper`."""

    shared = False

    def __init__(self, options: Options, runner: Runner) -> None:
        self._options = options
        self._folder = options.state_dir
        self._runner = runner

    def generation(self) -> int:
        return files.generation_of(files.read(self._folder / CONFIG))

    async def find(self, orphans: bool = False) -> Processes:
        if not orphans:
            found = await asyncio.to_thread(processes.of_own_master, self._folder)
            if found.master is not None:
                return found
        return await asyncio.to_thread(processes.of_folder, self._folder)

    async def replace(self, routing: Routing, generation: int, running: Processes) -> None:
        rendering = render(routing, self._layout(generation))
        written = {**rendering.files, CANDIDATE: rendering.config}
        await asyncio.to_thread(files.put_all, self._folder, written)
        code, said = await self._runner.judge()
        if code != 0:
            raise refuses(said, written)
        await self._put_in_force(generation, running)
        for warning in rendering.warnings:
            log.info("left out: %s", warning)
        await asyncio.to_thread(files.tidy, self._folder, {*rendering.files, file_of(generation)})

    async def answers(self) -> int | None:
        with suppress(OSError, ValueError, IndexError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(self._options.deadline):
                path = str(self._folder / CONTROL_SOCKET)
                reader, writer = await asyncio.open_unix_connection(path)
                try:
                    writer.write(b"GET /generation HTTP/1.0\r\n\r\n")
                    return int((await reader.read()).split(b"\r\n\r\n")[1])
                finally:
                    writer.close()
        return None

    async def revive(self, generation: int) -> Processes:
        return await self._brought_back(generation) or await self._start(generation)

    async def end(self) -> None:
        await self._runner.end(self._options.stop_grace)
        (self._folder / CONFIG).unlink(missing_ok=True)
        await asyncio.to_thread(files.tidy, self._folder, ())

    async def _brought_back(self, generation: int) -> Processes | None:
        """Return the NGINX that somebody else starts; ``None`` once nobody means to, or it does not serve."""
        serving = asyncio.ensure_future(self._serving(generation, frozenset()))
        try:
            while await self._runner.brings_back():
                await asyncio.wait((serving,), timeout=_LOOK)
                if serving.done():
                    return None if serving.exception() else serving.result()
            return None
        finally:
            serving.cancel()

    async def _put_in_force(self, generation: int, running: Processes) -> None:
        former = files.read(self._folder / CONFIG)
        await asyncio.to_thread(files.rename, self._folder, CANDIDATE, CONFIG)
        try:
            if running.master is None:
                await self._start(generation)
            else:
                processes.tell([running.master], signal.SIGHUP)
                await self._serving(generation, running.serving)
        except BaseException:
            if former is None:
                (self._folder / CONFIG).unlink(missing_ok=True)
            else:
                files.put_all(self._folder, {CANDIDATE: former})
                files.rename(self._folder, CANDIDATE, CONFIG)
            raise

    async def _start(self, generation: int) -> Processes:
        return await self._runner.launch(lambda: self._serving(generation, frozenset()))

    async def _serving(self, generation: int, before: frozenset[int]) -> Processes:
        try:
            async with asyncio.timeout(self._options.start_deadline):
                while True:
                    found = await asyncio.to_thread(processes.of_own_master, self._folder)
                    moved = found.serving and not found.serving & before
                    if moved and await self.answers() == generation:
                        return found
                    await asyncio.sleep(processes.POLL)
        except TimeoutError:
            raise not_started((files.read(self._folder / ERROR_LOG) or "")[-2000:]) from None

    def _layout(self, generation: int) -> Layout:
        return Layout(
            generation=generation,
            user="root" if os.geteuid() == 0 else None,  # the folder is the controller's alone
            stream_module=self._options.stream_module,
            old_worker_deadline=self._options.old_worker_deadline,
            control=str(self._folder / CONTROL_SOCKET),
            raw=True,
            keepalive=self._options.keepalive,
            upstream_keepalive=self._options.upstream_keepalive,
        )


_: type[Keeper] = OwnNginx
