"""The load client in a process of its own, controlled from an asyncio program.

Used by ``bluegreen demo``, the end-to-end tests and ``bench/``: work of the caller (a controller in
the same process, an assertion, a garbage collection) must not look like latency of the balancer.
The protocol is one JSON document per line: the plan, then commands, on the child's stdin; answers on
its stdout. The child ends when its stdin does, so it never outlives the one who asked for load.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from bluegreen.load.plan import LoadError, Plan, resolve
from bluegreen.load.result import Edge, Progress, Result

_ANSWER_WITHIN = 15.0
_LINE_LIMIT = 64 * 1024 * 1024


class LoadProcess:
    """A running load process; an async context manager that leaves no process behind.

    >>> async with await LoadProcess.start(Plan(url="http://127.0.0.1:8080")) as load:  # doctest: +SKIP
    ...     await load.mark("switch")
    ...     ...
    ...     await load.mark("switch", Edge.END)
    ...     result = await load.stop()
    """

    def __init__(self, process: asyncio.subprocess.Process, plan: Plan) -> None:
        self._process = process
        self._plan = plan
        self._lock = asyncio.Lock()
        self._asked = 0

    @classmethod
    async def start(cls, plan: Plan) -> Self:
        """Start the process and the load; return when the first requests are being sent.

        Raises :class:`LoadError` for a plan that is refused or a process that does not come up.
        """
        plan.check()
        resolve(plan)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bluegreen.load", "--control"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT,
        )
        load = cls(process, plan)
        try:
            await load._ask({"plan": asdict(plan)})
        except BaseException:
            await load.aclose()
            raise
        return load

    @property
    def pid(self) -> int:
        return self._process.pid

    async def mark(self, name: str, edge: Edge = Edge.BEGIN, at: float | None = None) -> None:
        """Note that something begins or ends now (the caller's clock counts, not the message's arrival)."""
        moment = time.monotonic() if at is None else at
        await self._ask({"mark": name, "edge": edge.value, "at": moment})

    async def progress(self) -> Progress:
        """Return the counts so far; poll this to wait until something was seen."""
        return Progress(**await self._ask({"progress": True}))

    async def stop(self) -> Result:
        """Send nothing new, await what is in flight, end the process, return the result."""
        within = max(self._plan.timeout, self._plan.slow_timeout) + _ANSWER_WITHIN
        return await self._last({"stop": True}, within)

    async def wait(self) -> Result:
        """Wait until the run's own duration is over; return the result."""
        within = self._plan.duration + max(self._plan.timeout, self._plan.slow_timeout) + _ANSWER_WITHIN
        return await self._last({"wait": True}, within)

    async def aclose(self) -> None:
        """End the process, whatever it does. May be called any number of times."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _last(self, command: dict[str, Any], within: float) -> Result:
        try:
            return Result.from_dict(await self._ask(command, within))
        finally:
            await self.aclose()

    async def _ask(self, command: dict[str, Any], within: float = _ANSWER_WITHIN) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise LoadError("the load process has no pipes")
        try:
            async with self._lock, asyncio.timeout(within):
                self._asked += 1
                stdin.write(json.dumps({"id": self._asked, **command}).encode() + b"\n")
                await stdin.drain()
                answer = await self._answer_to(stdout, self._asked)
        except TimeoutError as error:
            raise LoadError(f"the load process did not answer within {within:g} s") from error
        except OSError as error:
            raise LoadError(f"the load process has ended: {error}") from error
        if "error" in answer:
            raise LoadError(answer["error"])
        body: dict[str, Any] = answer["answer"]
        return body

    @staticmethod
    async def _answer_to(stdout: asyncio.StreamReader, ident: int) -> dict[str, Any]:
        """Return the answer to one command; those to earlier, cancelled ones are passed over."""
        while line := await stdout.readline():
            answer: dict[str, Any] = json.loads(line)
            if answer["id"] == ident:
                return answer
        raise LoadError("the load process has ended without an answer; its stderr says why")
