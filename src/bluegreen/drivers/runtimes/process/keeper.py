"""Keeps one instance as it is wanted: starts it, notices its death, brings it back, ends it.

One keeper per instance, owned by the runtime. While the instance lives, one task waits on its
pidfd; nothing is polled. The runtime calls every method with the instance's lock held, and the
task takes the same lock before it starts anything: a restart can never overtake a stop.
"""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from bluegreen.domain.errors import BluegreenError, Temporary
from bluegreen.domain.instance import Instance, InstanceSpec, InstanceState, RuntimeEventKind
from bluegreen.drivers.runtimes.process.backoff import Backoff, comes_back
from bluegreen.drivers.runtimes.process.command import command_line, environment, process_of, stop_signal
from bluegreen.drivers.runtimes.process.house import HOST, House
from bluegreen.drivers.runtimes.process.launcher import Gate, Launch
from bluegreen.drivers.runtimes.process.living import LivingProcess, adopt, end_session
from bluegreen.drivers.runtimes.process.store import Record

KILL_PATIENCE = 10.0
"""Seconds a killed process gets to disappear: it may hang in the kernel."""


class Keeper:
    """Responsible for one instance. ``record`` is what is known of it, ``state`` what it is now."""

    def __init__(self, house: House, record: Record, lock: asyncio.Lock) -> None:
        self.record = record
        self.lock = lock
        self.state = InstanceState.CREATED
        self._house = house
        self._living: LivingProcess | None = None
        self._task: asyncio.Task[None] | None = None
        self._backoff = Backoff()
        self._grace_until = 0.0
        self._saving = asyncio.Lock()

    @property
    def name(self) -> str:
        return self.record.spec.name

    def describe(self) -> Instance:
        record, spec = self.record, self.record.spec
        running = self.state is InstanceState.RUNNING
        return Instance(
            name=spec.name,
            stack=spec.stack,
            service=spec.service,
            release=spec.release,
            index=spec.index,
            color=spec.color,
            config_hash=spec.config_hash,
            state=self.state,
            incarnation=str(record.process or ""),
            host=HOST if running else None,
            port=record.port if running else None,
            started_at=record.started_at,
            restarts=record.restarts,
            exit_code=record.exit_code,
            oom_killed=record.oom_killed,
            error=record.error,
            image=spec.image,
        )

    def launch(self, port: int) -> Launch:
        """Return how the instance is run on ``port``, with the links as they are now."""
        spec = self.record.spec
        return Launch(
            command=command_line(spec, port),
            environment=environment(spec, port, self._house.linked(spec)),
            directory=process_of(spec.spec).directory or ".",
            output=self._house.logs.path(self.name),
        )

    def adopt(self) -> None:
        """Take over from an earlier controller: the living process, or the duty to restart it."""
        self.state = InstanceState.EXITED
        if self.record.process is not None and not self.record.ended:
            self._living = adopt(self.record.process)
            self.state = InstanceState.RUNNING
        self._house.logs.keep_short(self.name)
        self._task = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def start(self, instance: InstanceSpec) -> None:
        """Bring it to running. Raises what :meth:`_launch` raises; then nothing was started."""
        if self.record.wanted and self.state in (InstanceState.RUNNING, InstanceState.RESTARTING):
            return
        await self.stop()
        self.record = replace(self.record, spec=instance)
        self._backoff = Backoff()
        await self._launch(restarts=0)
        self._task = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def stop(self) -> None:
        """End it for good: its signal, after the grace SIGKILL, to everything it has started.

        Raises ``Temporary`` (``will_not_die``) when even the kill does not end it.
        """
        if self._task is None or self._task.done():
            return
        if self.record.wanted:
            await self._save(wanted=False)
        if self._living is None:
            await self._cancel()
            self.state = InstanceState.EXITED
            return
        spec = self.record.spec.spec
        self._grace_until = time.monotonic() + spec.stop_grace
        self._living.send(stop_signal(spec))
        _done, waiting = await asyncio.wait({self._task}, timeout=spec.stop_grace)
        if waiting and self._living is not None:
            self._living.send(signal.SIGKILL)
        if waiting:
            _done, waiting = await asyncio.wait(waiting, timeout=KILL_PATIENCE)
        if waiting:
            raise Temporary(
                f"{self.name} was killed but does not end",
                code="will_not_die",
                hint="It hangs in the kernel, often on a dead disk or mount; see `ps -o stat,wchan`.",
                evidence=(("process", str(self.record.process)),),
            )

    def send(self, number: int) -> None:
        """Send a signal to the main process, if there is one, and say so if it asks it to end."""
        if self._living is None:
            return
        if number in (stop_signal(self.record.spec.spec), signal.SIGKILL):
            detail = f"signal {signal.Signals(number).name}"
            self._house.events.tell(RuntimeEventKind.STOPPING, self.record.spec, detail)
        self._living.send(number)

    async def forget(self) -> None:
        """Delete what is kept of a stopped instance."""
        await asyncio.to_thread(self._house.store.delete, self.name)
        self._house.logs.forget(self.name)

    async def close(self) -> None:
        """Let go of the instance without touching it."""
        await self._cancel()
        if self._living is not None:
            self._living.close()
            self._living = None

    async def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _keep(self) -> None:
        """Wait for the end, note it, bring it back if its policy says so, and so on."""
        while True:
            if self.state is InstanceState.RUNNING:
                if self._living is not None:
                    await self._living.ended()
                await self._bury()
            record = self.record
            self.state = self._after_the_end()
            if self.state is InstanceState.EXITED:
                return
            await asyncio.sleep(self._backoff.after(time.time() - record.started_at))
            async with self.lock:
                try:
                    await self._launch(restarts=record.restarts + 1)
                except BluegreenError as error:
                    self.record = replace(self.record, error=error.message)

    def _after_the_end(self) -> InstanceState:
        """Return what an ended instance is: over, or about to come back by its policy."""
        record = self.record
        back = record.wanted and comes_back(record.spec.spec, record.exit_code, record.restarts)
        return InstanceState.RESTARTING if back else InstanceState.EXITED

    async def _launch(self, restarts: int) -> None:
        """Start the process; on any error none was started.

        Raises ``Temporary`` (``start_failed``, ``no_port``, ``disk_full``), ``Permanent``
        (``limit_refused``, ``state_unwritable``) or ``UserError`` (``limit_unsupported``).
        """
        spec, house = self.record.spec, self._house
        port = house.port_for(self.record)
        # Reserved from here on: another keeper may be choosing while this one waits for the disk.
        self.record = replace(self.record, port=port)
        launch = self.launch(port)
        try:
            await asyncio.to_thread(house.groups.create, self.name, spec.spec.limits)
            await self._let_go(launch, port, restarts)
        except BluegreenError:
            await asyncio.to_thread(house.groups.remove, self.name)
            raise
        self.state = InstanceState.RUNNING
        house.logs.keep_short(self.name)
        house.events.tell(RuntimeEventKind.STARTED, spec)

    async def _let_go(self, launch: Launch, port: int, restarts: int) -> None:
        """Record the process and put it into its groups while it waits, then let it begin."""
        with Gate(launch) as gate:
            await asyncio.to_thread(self._house.groups.join, self.name, gate.process.pid)
            await self._save(
                wanted=True,
                ended=False,
                error="",
                port=port,
                process=gate.process,
                started_at=time.time(),
                restarts=restarts,
            )
            self._living = adopt(gate.process)
            gate.open()

    async def _bury(self) -> None:
        """Note the end and say it at once; then clean up after the process and make it durable."""
        spec, living = self.record.spec, self._living
        oom = await asyncio.to_thread(self._house.groups.oom_kills, self.name) > 0
        code = None if living is None else living.exit_code()
        self.record = replace(self.record, ended=True, exit_code=code, oom_killed=oom)
        # Before anyone is told: whoever looks must not take "about to come back" for "over".
        self.state = self._after_the_end()
        if oom:
            self._house.events.tell(RuntimeEventKind.OOM, spec)
        self._house.events.tell(RuntimeEventKind.DIED, spec, "" if code is None else f"exit code {code}")
        if self.record.process is not None:
            await end_session(self.record.process, stop_signal(spec.spec), self._grace_until)
        await asyncio.to_thread(self._house.groups.remove, self.name)
        if living is not None:
            living.reap()
            living.close()
            self._living = None
        try:
            await self._save()
        except BluegreenError as error:
            # The next controller finds the process gone and comes to the same conclusion.
            self.record = replace(self.record, error=error.message)

    async def _save(self, **changes: Any) -> None:
        """Make the changes durable; the record changes only if that succeeds."""
        async with self._saving:
            await asyncio.to_thread(self._house.store.save, replace(self.record, **changes))
            self.record = replace(self.record, **changes)
