"""What a person wants of one container: its output, a command inside it, a signal to it.

Implements :class:`bluegreen.ports.runtime.Console` for the Docker runtime, which inherits it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from bluegreen.domain.errors import Temporary, UserError
from bluegreen.drivers.runtimes.docker import reading
from bluegreen.drivers.runtimes.docker.body import stop_signal
from bluegreen.drivers.runtimes.docker.gateway import Body, Gateway
from bluegreen.drivers.runtimes.docker.options import Options
from bluegreen.drivers.runtimes.docker.streams import frames, raw, text_lines


class DockerConsole:
    """Logs, commands and signals of the instances of one Engine."""

    def __init__(self, gateway: Gateway, options: Options) -> None:
        self._gateway = gateway
        self._options = options

    async def logs(self, name: str, *, tail: int = 100, follow: bool = False) -> AsyncIterator[str]:
        """See :meth:`bluegreen.ports.runtime.Console.logs`. ``tail`` below 0 means all of it.

        Followed logs end with the instance. Raises ``UserError`` (``instance_missing``).
        """
        container = await self._present(name)
        params = {
            "stdout": True,
            "stderr": True,
            "follow": follow,
            "tail": "all" if tail < 0 else str(tail),
        }
        path = f"containers/{container['Id']}/logs"
        async with self._gateway.stream("GET", path, what=f"the logs of {name}", params=params) as body:
            output = raw(body) if container["Config"]["Tty"] else frames(body)
            async with aclosing(text_lines(output)) as lines:
                async for line in lines:
                    yield line

    async def execute(self, name: str, command: Sequence[str]) -> tuple[int, str]:
        """See :meth:`bluegreen.ports.runtime.Console.execute`.

        Raises ``UserError`` (``instance_missing``, ``instance_not_running``) and ``Temporary``
        (``execute_timeout``); the command may then still run.
        """
        container = await self._present(name)
        if not container["State"]["Running"] or container["State"]["Paused"]:
            raise UserError(
                f"instance {name} does not run ({container['State']['Status']})",
                code="instance_not_running",
                hint=f"See `bluegreen ps`; its output is in `bluegreen logs {name}`.",
            )
        what = f"the command in {name}"
        body = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True}
        path = f"containers/{container['Id']}/exec"
        made = (await self._gateway.call("POST", path, what=what, body=body)).body["Id"]
        deadline = self._options.execute_deadline
        try:
            async with asyncio.timeout(deadline):
                output = await self._run(made, what)
        except TimeoutError as slow:
            raise Temporary(
                f"{what} did not end within {deadline:g} s: {' '.join(command)}",
                code="execute_timeout",
                hint="It may still run. Raise `execute_deadline`, or run it in the background.",
            ) from slow
        result = (await self._gateway.call("GET", f"exec/{made}/json", what=what)).body
        return int(result["ExitCode"] or 0), output

    async def signal(self, name: str, signal: str) -> None:
        """See :meth:`bluegreen.ports.runtime.Console.signal`.

        The Engine takes any signal that comes through it for a stop by hand: from then on its restart
        policy does not bring this incarnation back, even if it ends much later. Upkeep does.
        """
        container = await self._present(name)
        params, path = {"signal": stop_signal(signal.upper())}, f"containers/{container['Id']}/kill"
        # It does not run (409), or no longer exists.
        await self._gateway.call("POST", path, what=f"signal {name}", params=params, accept={404, 409})

    async def _run(self, command_id: str, what: str) -> str:
        start = {"Detach": False, "Tty": False}
        path = f"exec/{command_id}/start"
        async with self._gateway.stream("POST", path, what=what, body=start) as body:
            return await _text(body)

    async def _present(self, name: str) -> dict[str, Any]:
        """Return the inspected container of an instance of ours."""
        what = f"instance {name}"
        answer = await self._gateway.call("GET", f"containers/{name}/json", what=what, accept={404})
        if answer.status == 404 or not reading.is_ours(answer.body["Config"].get("Labels") or {}):
            raise UserError(
                f"there is no instance {name}",
                code="instance_missing",
                hint="See `bluegreen ps` for the names of all instances.",
            )
        found: dict[str, Any] = answer.body
        return found


async def _text(body: Body) -> str:
    return b"".join([payload async for _stream, payload in frames(body)]).decode(errors="replace")
