"""Keeps our part of an NGINX that somebody else runs on this box: files that its configuration includes.

That NGINX is never started or stopped here. ``include_dir/live`` is a link to the files of one generation;
replacing the link is the one step that counts. The box's own ``nginx -T`` must accept the whole configuration
with them and show that it includes them; else the link goes back. Rule: nothing of ours may keep that NGINX
from starting when nobody is here to help it, so there is no socket that a crash would leave behind.
"""

from __future__ import annotations

import asyncio
import logging
import re
import signal
from collections.abc import Mapping

from bluegreen.domain.errors import Permanent, Temporary, UserError
from bluegreen.domain.routing import Routing
from bluegreen.drivers.balancers.nginx import files, generations, processes
from bluegreen.drivers.balancers.nginx.binary import execute
from bluegreen.drivers.balancers.nginx.complaints import refuses
from bluegreen.drivers.balancers.nginx.keeper import Keeper
from bluegreen.drivers.balancers.nginx.layout import HTTP, LOADED, STREAM, Layout
from bluegreen.drivers.balancers.nginx.memory import file_of
from bluegreen.drivers.balancers.nginx.options import Options
from bluegreen.drivers.balancers.nginx.processes import Processes
from bluegreen.drivers.balancers.nginx.render import header, render_included

log = logging.getLogger(__name__)


class ExistingNginx:
    """See the module, and :class:`bluegreen.drivers.balancers.nginx.keeper.Keeper`."""

    shared = True

    def __init__(self, options: Options, binary: str) -> None:
        self._options = options
        self._folder = options.include_dir
        self._binary = binary

    def generation(self) -> int:
        return generations.live(self._folder)

    async def find(self, orphans: bool = False) -> Processes:
        return await asyncio.to_thread(processes.of_master, self._options.pid_file)

    async def replace(self, routing: Routing, generation: int, running: Processes) -> None:
        if running.master is None:
            raise self._down()
        layout = Layout(
            generation=generation,
            raw=True,
            keepalive=self._options.keepalive,
            upstream_keepalive=self._options.upstream_keepalive,
            base=f"{generations.folder_of(self._folder, generation)}/",
        )
        rendering = render_included(routing, layout)
        written = {**rendering.files, HTTP: rendering.config}
        await asyncio.to_thread(generations.write, self._folder, generation, written, running.serving)
        await self._put_in_force(generation, written, running)
        for warning in rendering.warnings:
            log.info("left out: %s", warning)
        await asyncio.to_thread(files.tidy, self._options.state_dir, {file_of(generation)})

    async def answers(self) -> int | None:
        if (await self.find()).master is None:
            return None
        loaded = await asyncio.to_thread(files.read, self._options.state_dir / LOADED)
        return int(loaded) if loaded and loaded.isdigit() else None

    async def revive(self, generation: int) -> Processes:
        raise self._down()

    async def end(self) -> None:
        running = await self.find()
        if not await asyncio.to_thread(self.generation):
            return
        await asyncio.to_thread(generations.put_live, self._folder, 0)
        if running.master is not None:
            await self._reload(running)
        await asyncio.to_thread(generations.tidy, self._folder, ())
        await asyncio.to_thread(files.tidy, self._options.state_dir, ())
        (self._options.state_dir / LOADED).unlink(missing_ok=True)

    async def _put_in_force(self, generation: int, written: Mapping[str, str], running: Processes) -> None:
        former = await asyncio.to_thread(self.generation)
        told = False
        await asyncio.to_thread(generations.put_live, self._folder, generation)
        try:
            await self._judge(generation, written)
            told = True
            await self._reload(running)
        except BaseException:
            generations.put_live(self._folder, former)
            generations.tidy(self._folder, {former})
            if told and running.master is not None:
                processes.tell([running.master], signal.SIGHUP)
            raise
        await asyncio.to_thread(files.put_all, self._options.state_dir, {LOADED: str(generation)})
        # Requests in flight may still be asked for a password of the former one.
        await asyncio.to_thread(generations.tidy, self._folder, {generation, former})

    async def _judge(self, generation: int, written: Mapping[str, str]) -> None:
        main = str(self._options.main_config)
        said = self._options.state_dir / "said.log"
        command = [self._binary, "-T", "-c", main]
        code, words = await execute(command, said, self._options.start_deadline)
        said.unlink(missing_ok=True)  # it holds all of their configuration
        if code != 0:
            raise refuses(words, written)
        for file, where in ((HTTP, "http"), (STREAM, "stream")):
            shown = rf"^# configuration file \S*/{re.escape(file)}:\n{re.escape(header(generation))}"
            if file in written and not re.search(shown, words, re.MULTILINE):
                raise self._not_included(where)

    async def _reload(self, running: Processes) -> None:
        assert running.master is not None
        try:
            processes.tell([running.master], signal.SIGHUP)
        except PermissionError as error:
            raise Permanent(
                f"this user may not reload the NGINX of process {running.master}",
                code="nginx_forbidden",
                hint="Run the controller as the user who runs NGINX's master, as a rule root.",
                evidence=(("system", str(error)), ("master", str(running.master))),
            ) from None
        try:
            async with asyncio.timeout(self._options.start_deadline):
                while True:
                    found = await self.find()
                    if found.serving and not found.serving & running.serving:
                        return
                    await asyncio.sleep(processes.POLL)
        except TimeoutError:
            raise Temporary(
                "NGINX was told to read its configuration anew, and goes on with the former one",
                code="nginx_not_reloaded",
                hint="Its error log says why, often a port that something else has taken.",
                evidence=(("master", str(running.master)), ("pid file", str(self._options.pid_file))),
            ) from None

    def _down(self) -> Temporary:
        return Temporary(
            f"no NGINX runs by {self._options.pid_file}",
            code="balancer_down",
            hint="Start it (`systemctl start nginx`): it is not bluegreen's to start. Where its `pid` is"
            " another file, name that by BLUEGREEN_NGINX_PID_FILE.",
            evidence=(("pid file", str(self._options.pid_file)),),
        )

    def _not_included(self, where: str) -> UserError:
        line = f"include {self._folder}/{generations.LIVE}/{where}*.conf;"
        return UserError(
            f"{self._options.main_config} does not include what bluegreen writes for {where}",
            code="nginx_not_included",
            hint=f"Put `{line}` into its block `{where} {{ … }}`, and try again.",
            evidence=(("line", line), ("configuration", str(self._options.main_config))),
        )


_: type[Keeper] = ExistingNginx
