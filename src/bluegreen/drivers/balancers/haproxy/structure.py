"""Puts a new structure in force: candidate, HAProxy's judgement, atomic rename, hitless reload.

Called by the driver under its lock. Rule: the rename of the configuration is the one step that counts;
before it everything can be thrown away, and if the reload fails after it, it is renamed back.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import Pool, Routing
from bluegreen.drivers.balancers.haproxy import files
from bluegreen.drivers.balancers.haproxy.complaints import candidate_refused
from bluegreen.drivers.balancers.haproxy.layout import CANDIDATE, CONFIG, STATE_FILE, Layout
from bluegreen.drivers.balancers.haproxy.options import Options
from bluegreen.drivers.balancers.haproxy.process import HaproxyProcess
from bluegreen.drivers.balancers.haproxy.render import Rendering, render
from bluegreen.drivers.balancers.haproxy.runner import Runner
from bluegreen.drivers.balancers.haproxy.runtime_api import CommandRefused
from bluegreen.drivers.balancers.haproxy.stats import Workers
from bluegreen.drivers.proxies.files import unwritable
from bluegreen.drivers.proxies.words import refused


class Structure:
    """See the module."""

    def __init__(self, options: Options, runner: Runner, process: HaproxyProcess) -> None:
        self._options = options
        self._folder = options.state_dir
        self._runner = runner
        self._process = process

    def in_force(self) -> str | None:
        """Return the configuration that HAProxy has, or would start with."""
        return files.read(self._folder / CONFIG)

    def layout(self) -> Layout:
        """Return the layout of the configuration in force (generation 0 without one)."""
        return self._layout(files.generation_of(self.in_force()))

    def _layout(self, generation: int) -> Layout:
        return Layout(
            generation=generation,
            old_worker_deadline=self._options.old_worker_deadline,
            request_log=self._options.request_log,
        )

    async def replace(
        self,
        routing: Routing,
        pool_text: Callable[[Pool], str],
        running: Workers | None,
        state: str,
    ) -> Workers:
        """Put ``routing`` in force by a reload of ``running``, or by a start; return who serves it.

        ``state`` is what is to be kept of the servers' health. Raises ``balancer_refused``; then the
        former configuration is in force and serves.
        """
        former = await asyncio.to_thread(self.in_force)
        rendering = render(routing, self._layout(files.generation_of(former) + 1), pool_text)
        fresh = await asyncio.to_thread(self._put_candidate, rendering)
        try:
            await self._require_accepted()
            await asyncio.to_thread(self._commit, state)
            workers = await self._serve(running, former)
        except BaseException:
            await asyncio.to_thread(files.remove, fresh)
            raise
        await asyncio.to_thread(self._tidy, rendering)
        return workers

    async def _require_accepted(self) -> None:
        # Whatever runs HAProxy judges as well: what was accepted is also what starts.
        code, said = await self._runner.judge()
        if code != 0:
            raise await asyncio.to_thread(candidate_refused, self._folder / CANDIDATE, said)

    async def _serve(self, running: Workers | None, former: str | None) -> Workers:
        try:
            if running is None:
                return await self._process.start()
            return await self._process.reload(running)
        except CommandRefused as error:
            await asyncio.to_thread(self._restore, former)
            raise refused(
                "HAProxy could not put the configuration in force",
                "Read HAProxy's words; the former configuration still serves.",
                ("haproxy", str(error)),
            ) from None
        except BaseException:
            await asyncio.to_thread(self._restore, former)
            raise

    def _put_candidate(self, rendering: Rendering) -> list[Path]:
        candidate = self._folder / CANDIDATE
        fresh = files.put_all(self._folder, rendering.files)
        try:
            files.put(candidate, rendering.config)
        except OSError as error:
            files.remove([*fresh, candidate])
            raise unwritable(candidate, error) from None
        return fresh

    def _commit(self, state: str) -> None:
        try:
            files.put(self._folder / STATE_FILE, state)
            os.replace(self._folder / CANDIDATE, self._folder / CONFIG)
            files.sync_folder(self._folder)
        except OSError as error:
            raise unwritable(self._folder / CONFIG, error) from None

    def _tidy(self, rendering: Rendering) -> None:
        files.remove([self._folder / STATE_FILE])  # it was meant for this start only
        files.tidy(self._folder, rendering.files)

    def _restore(self, former: str | None) -> None:
        if former is None:
            files.remove([self._folder / CONFIG])
        else:
            files.write(self._folder / CONFIG, former)


def state_to_keep(answer: str, kept: Mapping[tuple[PoolId, str], str]) -> str:
    """Return ``show servers state`` reduced to ``kept`` servers, renamed to what the file calls them."""
    lines = []
    for line in answer.splitlines():
        words = line.split()
        if not words or words[0].startswith("#") or len(words) == 1:
            lines.append(line)
        elif (key := (PoolId(words[1]), words[3])) in kept:
            words[3] = kept[key]
            lines.append(" ".join(words))
    return "\n".join(line for line in lines if line) + "\n"
