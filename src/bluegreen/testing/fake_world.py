"""The world behind the fake runtime: its instances, and the misfortunes a test sends them.

Only :class:`bluegreen.testing.fake_runtime.FakeRuntime` derives from it. Deterministic: no timer,
no socket; what a method does is visible when it returns.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.instance import Instance, InstanceSpec, InstanceState, RuntimeEvent, RuntimeEventKind
from bluegreen.domain.spec import RestartPolicy

KILLED = 137
"""The exit code of a process that was killed: 128 + SIGKILL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What an application does by itself.

    Each incarnation writes the lines of ``says``; with ``exits`` it then ends at once with that
    code. It survives the signals it ``ignores`` and must be killed.
    """

    says: tuple[str, ...] = ()
    exits: int | None = None
    ignores: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Fault:
    """One call to spoil: it raises ``error``, or hangs if there is none."""

    method: str
    nth: int
    error: BluegreenError | None
    after: bool

    async def strike(self) -> None:
        if self.error is None:
            await asyncio.Event().wait()
        else:
            raise self.error


class FakeWorld:
    """Instances, event streams, and the knobs.

    ``calls`` lists every call as ``(method, subject)``. ``behaves`` says how what is started
    behaves. ``tap`` is called with ``("before" | "after", method, subject)`` around the effect of
    each call and may raise: a test can crash a controller at every single call with it.
    """

    crash_loop = 3
    """An instance that came back that often stays ``restarting``, as in a very long back-off."""

    def __init__(self, *, now: Callable[[], float] | None = None) -> None:
        ticks = itertools.count(1_700_000_000)
        self.now = now or (lambda: float(next(ticks)))
        self.calls: list[tuple[str, str]] = []
        self.behaves: Callable[[InstanceSpec], Behaviour] = lambda _spec: Behaviour()
        self.tap: Callable[[str, str, str], None] = lambda _when, _method, _subject: None
        self.instances: dict[str, Instance] = {}
        self.specs: dict[str, InstanceSpec] = {}
        self.output: dict[str, list[str]] = {}
        self.said = asyncio.Event()
        self.streams: set[asyncio.Queue[RuntimeEvent]] = set()
        self._serial = itertools.count(1)
        self._incarnations = itertools.count(1)
        self._faults: list[_Fault] = []
        self._thawed = asyncio.Event()
        self._thawed.set()

    def crash(self, name: str, exit_code: int = KILLED, *, oom: bool = False) -> None:
        """The application ends by itself; its restart policy decides what follows."""
        self._end(name, exit_code, oom=oom)
        self._restart_by_policy(name)

    def vanish(self, name: str) -> None:
        """Somebody else removed the instance, behind the controller's back."""
        if self.instances[name].running:
            self._end(name, KILLED)
        self._forget(name)

    def fail(self, method: str, error: BluegreenError, *, nth: int = 1, after: bool = False) -> None:
        """Let the ``nth`` next call of ``method`` raise; with ``after`` it takes effect first."""
        self._faults.append(_Fault(method, nth, error, after))

    def hang(self, method: str, *, nth: int = 1, after: bool = False) -> None:
        """Let the ``nth`` next call of ``method`` wait until it is cancelled."""
        self._faults.append(_Fault(method, nth, None, after))

    def freeze(self) -> None:
        """Let every call wait until :meth:`thaw`."""
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    def lose(self) -> Callable[[], None]:
        """Interrupt the event streams; the function returned mends them, with a ``RESYNC``."""
        streams, self.streams = self.streams, set()

        def mend() -> None:
            self.streams |= streams
            for queue in streams:
                queue.put_nowait(RuntimeEvent(kind=RuntimeEventKind.RESYNC, at=self.now()))

        return mend

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """Let nobody hear of what happens in the block, not even that there was something to hear."""
        streams, self.streams = self.streams, set()
        try:
            yield
        finally:
            self.streams |= streams

    def pause(self, name: str) -> None:
        """Somebody froze the instance; it keeps its address."""
        self._change(name, state=InstanceState.PAUSED)
        self._emit(RuntimeEventKind.PAUSED, name)

    def resume(self, name: str) -> None:
        self._change(name, state=InstanceState.RUNNING)
        self._emit(RuntimeEventKind.RESUMED, name)

    def rename(self, name: str, new: str) -> None:
        """Somebody gave the instance another name; what it is remains the same."""
        self.instances[new] = replace(self.instances.pop(name), name=new)
        self.specs[new] = self.specs.pop(name)
        self.output[new] = self.output.pop(name)
        self._emit(RuntimeEventKind.ADDRESS, new, f"rename {new}")

    def report(self, name: str, health: str) -> None:
        """The runtime's own health check has a new verdict on the instance."""
        self._change(name, health=health)
        self._emit(RuntimeEventKind.HEALTH, name, health)

    def move(self, name: str, host: str | None, port: int | None) -> None:
        """The instance's address changes."""
        self._change(name, host=host, port=port)
        self._emit(RuntimeEventKind.ADDRESS, name)

    def say(self, name: str, line: str) -> None:
        """The application writes a line."""
        self.output[name].append(line)
        said, self.said = self.said, asyncio.Event()
        said.set()

    @asynccontextmanager
    async def _call(self, method: str, subject: str) -> AsyncIterator[None]:
        """Surround the effect of a call with what a test wants to go wrong."""
        self.calls.append((method, subject))
        await asyncio.sleep(0)
        await self._thawed.wait()
        self.tap("before", method, subject)
        fault = self._due(method)
        if fault is not None and not fault.after:
            await fault.strike()
        yield
        self.tap("after", method, subject)
        if fault is not None and fault.after:
            await fault.strike()

    def _due(self, method: str) -> _Fault | None:
        due: _Fault | None = None
        for fault in [f for f in self._faults if f.method == method]:
            fault.nth -= 1
            if fault.nth == 0:
                self._faults.remove(fault)
                due = fault
        return due

    def _create(self, spec: InstanceSpec) -> None:
        self.output[spec.name] = []
        self.instances[spec.name] = Instance(
            name=spec.name,
            stack=spec.stack,
            service=spec.service,
            release=spec.release,
            index=spec.index,
            color=spec.color,
            config_hash=spec.config_hash,
            state=InstanceState.CREATED,
            image=spec.image,
        )

    def _launch(self, name: str) -> None:
        spec = self.specs[name]
        self._change(
            name,
            state=InstanceState.RUNNING,
            incarnation=f"incarnation-{next(self._incarnations)}",
            host=self._address(),
            port=spec.spec.port or next(iter(spec.spec.expose), 3000),
            started_at=self.now(),
        )
        self._emit(RuntimeEventKind.STARTED, name)
        behaviour = self.behaves(spec)
        for line in behaviour.says:
            self.say(name, line)
        if behaviour.exits is not None:
            self.crash(name, behaviour.exits)

    def _address(self) -> str:
        serial = next(self._serial)
        return f"10.0.{serial // 250 % 250}.{serial % 250 + 1}"

    def _rename_back(self, spec: InstanceSpec) -> None:
        """Give an instance that was renamed the name it was made with."""
        if spec.name in self.instances:
            return
        for name, known in list(self.specs.items()):
            if (known.name, known.config_hash) == (spec.name, spec.config_hash):
                self.rename(name, spec.name)
                return

    def _send(self, name: str, signal: str) -> None:
        """Deliver a signal: it ends what does not ignore it, if it is one that asks to end."""
        spec = self.specs[name]
        word = signal.upper().removeprefix("SIG")
        asks = {"KILL", spec.spec.stop_signal}
        if word not in asks | {"TERM", "INT", "QUIT"}:
            return
        if word in asks:
            self._emit(RuntimeEventKind.STOPPING, name, f"signal {word}")
        if word == "KILL":
            self.crash(name)
        elif word not in self.behaves(spec).ignores:
            self.crash(name, 0)

    def _end(self, name: str, exit_code: int, *, oom: bool = False) -> None:
        self._change(
            name,
            state=InstanceState.EXITED,
            host=None,
            port=None,
            exit_code=exit_code,
            oom_killed=oom,
            health="",
        )
        if oom:
            self._emit(RuntimeEventKind.OOM, name)
        self._emit(RuntimeEventKind.DIED, name, str(exit_code))

    def _restart_by_policy(self, name: str) -> None:
        instance, spec = self.instances[name], self.specs[name].spec
        attempts = spec.restart_attempts
        if spec.restart is RestartPolicy.NO:
            return
        if spec.restart is RestartPolicy.ON_FAILURE and (
            instance.exit_code == 0 or (attempts is not None and instance.restarts >= attempts)
        ):
            return
        if instance.restarts >= self.crash_loop:
            self._change(name, state=InstanceState.RESTARTING)
            return
        self._change(name, restarts=instance.restarts + 1)
        self._launch(name)

    def _stop(self, name: str) -> None:
        instance = self.instances.get(name)
        if instance is None:
            return
        if instance.running:
            spec = self.specs[name]
            self._end(name, KILLED if spec.spec.stop_signal in self.behaves(spec).ignores else 0)
        self._change(name, state=InstanceState.EXITED)

    def _forget(self, name: str) -> None:
        self._emit(RuntimeEventKind.REMOVED, name)
        del self.instances[name], self.specs[name], self.output[name]

    def _change(self, name: str, **fields: Any) -> None:
        self.instances[name] = replace(self.instances[name], **fields)

    def _emit(self, kind: RuntimeEventKind, name: str, detail: str = "") -> None:
        instance = self.instances[name]
        event = RuntimeEvent(
            kind=kind,
            stack=instance.stack,
            service=instance.service,
            instance=name,
            at=self.now(),
            detail=detail,
        )
        for queue in self.streams:
            queue.put_nowait(event)
