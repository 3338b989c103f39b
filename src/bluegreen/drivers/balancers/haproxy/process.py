"""The HAProxy processes: one master, its worker, and workers of former structures.

They outlive the controller; a new one finds them by what answers on the master socket. Rule: whoever
started them, process or container, they are asked, reloaded and watched in this one way.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress

from bluegreen.domain.errors import BluegreenError, Temporary
from bluegreen.drivers.balancers.haproxy import own_processes
from bluegreen.drivers.balancers.haproxy.complaints import complaint, start_refused
from bluegreen.drivers.balancers.haproxy.options import Options
from bluegreen.drivers.balancers.haproxy.runner import Runner
from bluegreen.drivers.balancers.haproxy.runtime_api import CommandRefused, RuntimeApi
from bluegreen.drivers.balancers.haproxy.stats import Workers, workers_of
from bluegreen.drivers.proxies.processes import until_one_ends

_POLL = 0.002
"""Seconds between looks at a process that is just starting."""
_COMEBACK = 3.0
"""Seconds in which a HAProxy that others bring back is expected to serve again."""
_GLANCE = 0.1
"""Seconds after which they are asked again whether they do."""


class HaproxyProcess:
    """See the module."""

    def __init__(self, options: Options, runner: Runner, api: RuntimeApi) -> None:
        self._options = options
        self._runner = runner
        self._api = api
        self._patient = RuntimeApi(options.state_dir, options.start_deadline)

    async def find(self) -> Workers | None:
        """Return the running processes, ``None`` when there are none. Raises ``balancer_hung``."""
        try:
            workers = workers_of(await self._api.ask("show proc", master=True))
        except Temporary as error:
            if error.code != "balancer_down":
                raise
            return None
        return workers if workers is not None and own_processes.alive(workers.current) else None

    async def numbers(self) -> set[int]:
        """Return the numbers of all processes of our folder, whether they answer or not."""
        return await asyncio.to_thread(own_processes.numbers, self._options.state_dir)

    async def start(self) -> Workers:
        """Start HAProxy on the configuration in force; return when it answers on both sockets.

        Raises ``balancer_refused`` with its own words.
        """

        async def serving(said: str) -> Workers:
            return await self._serving(lambda _: True, said, self._options.start_deadline)

        return await self._runner.launch(serving)

    async def revive(self) -> Workers:
        """Start the HAProxy that has died, unless somebody else does."""
        patience = asyncio.get_running_loop().time() + _COMEBACK
        while await self._runner.brings_back() and asyncio.get_running_loop().time() < patience:
            with suppress(BluegreenError):
                return await self._serving(lambda _: True, "", _GLANCE)
        return await self.start()

    async def reload(self, before: Workers) -> Workers:
        """Put the configuration in force; return when the new worker answers.

        Raises ``CommandRefused`` with HAProxy's words; the former worker serves on then.
        """
        answer = ""
        with suppress(Temporary):  # before 2.7 the master hangs up instead of reporting
            answer = await self._patient.ask("reload", master=True)
        if "Success=0" in answer:
            raise CommandRefused(complaint(answer))
        deadline = self._options.start_deadline
        return await self._serving(lambda found: found.current != before.current, answer, deadline)

    async def stop(self, grace: float) -> None:
        """Let requests in flight end for ``grace`` seconds, then end all processes."""
        await self._runner.end(grace)

    async def death(self, workers: Workers) -> None:
        """Return as soon as the master or the accepting worker has ended."""
        await until_one_ends((workers.master, workers.current))

    async def _serving(self, is_new: Callable[[Workers], bool], said: str, patience: float) -> Workers:
        try:
            async with asyncio.timeout(patience):
                while True:
                    found = await self.find()
                    if found is not None and is_new(found) and await self.answers(found.current):
                        return found
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise start_refused(f"no worker serves after {patience:g} s\n{said}") from None

    async def answers(self, worker: int) -> bool:
        """Whether this worker is the one that accepts."""
        with suppress(BluegreenError):
            shown = re.search(r"^Pid: (\d+)$", await self._api.ask("show info"), re.MULTILINE)
            return shown is not None and int(shown.group(1)) == worker
        return False
