"""A runtime in memory, for tests of the engine: deterministic, and obedient to every misfortune.

An instance lives until a test (or its :class:`Behaviour`) ends it. The object is the world, so it
outlives the controller: hand the same one to the next. It passes the same contract as the real
ones (tests/contract/test_runtime_fake.py).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence

from bluegreen.domain.capacity import Capacity, check_limits
from bluegreen.domain.errors import UserError
from bluegreen.domain.instance import Instance, InstanceSpec, Prepared, RuntimeEvent, RuntimeEventKind
from bluegreen.domain.spec import ServiceSpec
from bluegreen.testing.fake_world import Behaviour, FakeWorld

SIGNAL = re.compile(r"(SIG)?(KILL|TERM|INT|QUIT|HUP|USR1|USR2|WINCH|STOP|CONT)|\d{1,2}", re.IGNORECASE)

__all__ = ["Behaviour", "FakeRuntime"]


class FakeRuntime(FakeWorld):
    """Implements ``Runtime`` and ``Console``; the knobs are those of :class:`FakeWorld`.

    ``capacity`` is what the host has, ``missing_images`` what cannot be pulled, ``executes``
    answers :meth:`execute`.
    """

    name = "fake"

    def __init__(self, *, now: Callable[[], float] | None = None) -> None:
        super().__init__(now=now)
        self.capacity = Capacity(cpus=frozenset(range(4)), memory=16 << 30)
        self.missing_images: set[str] = set()
        self.executes: Callable[[str, Sequence[str]], tuple[int, str]] = lambda _name, _command: (0, "")

    async def prepare(self, stack: str, spec: ServiceSpec) -> Prepared:
        async with self._call("prepare", spec.name):
            if spec.image is None and spec.process is None:
                raise UserError(f"{spec.name}: nothing to run", code="no_command", hint="Name an image.")
            if spec.image in self.missing_images:
                raise UserError(f"{spec.image}: no such image", code="image_missing", hint="Push it.")
            check_limits(spec.name, spec.limits, self.capacity)
        return Prepared(image=spec.image or "", digest=f"digest of {spec.image}", ports=spec.expose)

    async def start(self, instance: InstanceSpec) -> None:
        name = instance.name
        async with self._call("start", name):
            found = self.instances.get(name)
            if found is not None and found.config_hash != instance.config_hash:
                raise UserError(
                    f"{name} exists with another configuration",
                    code="name_taken",
                    hint="Remove it, or deploy a new release.",
                )
            self._rename_back(instance)
            self.specs[name] = instance
            if name not in self.instances:
                self._create(instance)
            if not self.instances[name].running:
                self._change(name, restarts=0)
                self._launch(name)
            elif self.instances[name].host is None:
                self.move(name, self._address(), self.instances[name].port)

    async def stop(self, name: str) -> None:
        async with self._call("stop", name):
            self._stop(name)

    async def remove(self, name: str) -> None:
        async with self._call("remove", name):
            self._stop(name)
            if name in self.instances:
                self._forget(name)

    async def list(self, stack: str | None = None, service: str | None = None) -> tuple[Instance, ...]:
        async with self._call("list", f"{stack or '*'}/{service or '*'}"):
            return tuple(
                instance
                for instance in self.instances.values()
                if stack in (None, instance.stack) and service in (None, instance.service)
            )

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        queue: asyncio.Queue[RuntimeEvent] = asyncio.Queue()
        queue.put_nowait(RuntimeEvent(kind=RuntimeEventKind.RESYNC, at=self.now()))
        self.streams.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self.streams.discard(queue)

    async def logs(self, name: str, *, tail: int = 100, follow: bool = False) -> AsyncIterator[str]:
        self._must_exist(name)
        lines = self.output[name]
        shown = max(0, len(lines) - tail)
        while True:
            said = self.said
            while shown < len(lines):
                yield lines[shown]
                shown += 1
            if not follow or name not in self.instances:
                return
            if said is self.said:
                await said.wait()

    async def execute(self, name: str, command: Sequence[str]) -> tuple[int, str]:
        async with self._call("execute", name):
            self._must_exist(name)
            return self.executes(name, command)

    async def signal(self, name: str, signal: str) -> None:
        async with self._call("signal", f"{name} {signal}"):
            self._must_exist(name)
            if not SIGNAL.fullmatch(signal):
                raise UserError(f"there is no signal {signal}", code="bad_signal", hint="Name TERM or INT.")
            if self.instances[name].running:
                self._send(name, signal)

    def _must_exist(self, name: str) -> None:
        if name not in self.instances:
            raise UserError(
                f"there is no instance {name}",
                code="instance_missing",
                hint="See `bluegreen ps` for the instances there are.",
            )
