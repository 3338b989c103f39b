"""What every test of the runtime contract stands on: the hooks, and waiting for what was started."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.domain.instance import Instance, InstanceSpec, RuntimeEvent, RuntimeEventKind
from bluegreen.domain.naming import Color, instance_name
from bluegreen.domain.spec import Limits, ServiceSpec, config_hash
from bluegreen.ports.runtime import Runtime
from bluegreen.testing.waiting import until

Scenario = Callable[[Runtime], Awaitable[None]]


class RuntimeHarness:
    """The hooks a driver's test module implements, and the steps the tests are made of."""

    patience = 20.0
    """Seconds to wait for what the runtime does by itself."""

    version = "1.2.3"

    def open(self) -> AbstractAsyncContextManager[Runtime]:
        """Open the runtime. Opening it again within one test finds what the first one left."""
        raise NotImplementedError

    def spec(self, *arguments: str, **overrides: Any) -> ServiceSpec:
        """Return a spec that runs the sample application with :attr:`version`.

        ``arguments`` are further options of the application (``--ignore-term``), ``overrides``
        fields of :class:`ServiceSpec`.
        """
        raise NotImplementedError

    def broken_specs(self) -> Mapping[str, ServiceSpec]:
        """Return specs that can never run here, by the code of the ``UserError`` they get."""
        raise NotImplementedError

    async def limits_of(self, runtime: Runtime, name: str) -> Limits:
        """Return the limits that a running instance really has, read where they are enforced."""
        raise NotImplementedError

    def limits(self) -> Limits:
        """Return limits that can be met here."""
        return Limits(cpu_shares=512, cpuset="0", mem_limit=256 << 20)

    async def ask(self, instance: Instance, path: str) -> str:
        """Return the body of the sample application's answer to ``GET path``."""
        return await http_get(instance, path)

    @pytest.fixture(autouse=True)
    def _fresh_stack(self) -> None:
        self.stack = f"t{uuid.uuid4().hex[:10]}"

    def run(self, *scenarios: Scenario) -> None:
        """Run each scenario on a runtime opened for it, as a controller that is restarted would."""

        async def main() -> None:
            async with asyncio.timeout(100):
                try:
                    for scenario in scenarios:
                        async with self.open() as runtime:
                            await scenario(runtime)
                finally:
                    async with self.open() as runtime:
                        for instance in await runtime.list(self.stack):
                            await runtime.remove(instance.name)

        asyncio.run(main())

    def instance(
        self,
        spec: ServiceSpec | None = None,
        *,
        index: int = 1,
        release: int = 1,
        color: Color | None = Color.BLUE,
    ) -> InstanceSpec:
        spec = spec or self.spec()
        return InstanceSpec(
            name=instance_name(self.stack, spec.name, release, index),
            stack=self.stack,
            service=spec.name,
            release=release,
            index=index,
            color=color,
            image=spec.image or "",
            config_hash=config_hash(spec),
            spec=spec,
            aliases=(spec.name,),
        )

    async def seen(self, runtime: Runtime, name: str) -> Instance | None:
        return next((i for i in await runtime.list(self.stack) if i.name == name), None)

    async def becomes(self, runtime: Runtime, name: str, test: Callable[[Instance], bool]) -> Instance:
        """Wait until the listed instance passes ``test``; return it."""

        async def passes() -> Instance | None:
            found = await self.seen(runtime, name)
            return found if found is not None and test(found) else None

        return await until(passes, self.patience)

    async def started(self, runtime: Runtime, instance: InstanceSpec) -> Instance:
        """Prepare and start; return the instance once the application in it answers."""
        prepared = await runtime.prepare(self.stack, instance.spec)
        await runtime.start(replace(instance, image=prepared.image or instance.image))
        listed = await self.becomes(runtime, instance.name, lambda i: i.reachable)
        await until(lambda: self.answers(listed), self.patience)
        return listed

    async def answers(self, instance: Instance) -> bool:
        """Whether the application of the instance answers now."""
        try:
            return "version" in await self.ask(instance, "/version")
        except OSError:
            return False

    async def accepted(self, runtime: Runtime, instance: InstanceSpec) -> None:
        """Prepare and start something that is not expected to answer."""
        prepared = await runtime.prepare(self.stack, instance.spec)
        await runtime.start(replace(instance, image=prepared.image or instance.image))

    async def crash(self, runtime: Runtime, instance: Instance) -> None:
        """Make the application of a running instance end abruptly, without telling the runtime."""
        with contextlib.suppress(OSError):
            await self.ask(instance, "/crash")

    async def told(self, events: list[RuntimeEvent], kind: RuntimeEventKind, name: str) -> None:
        def arrived() -> list[RuntimeEvent]:
            return [e for e in events if e.kind is kind and e.instance == name]

        event = (await until(arrived, self.patience))[0]
        assert (event.stack, event.service) == (self.stack, "web")


async def http_get(instance: Instance, path: str) -> str:
    """Return the body of the answer to ``GET path``. Raises ``OSError`` when there is none."""
    async with asyncio.timeout(5.0):
        reader, writer = await asyncio.open_connection(instance.host, instance.port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    if not answer:
        raise ConnectionResetError("closed without an answer")
    return answer.partition(b"\r\n\r\n")[2].decode()


@contextlib.asynccontextmanager
async def watching(runtime: Runtime) -> AsyncIterator[list[RuntimeEvent]]:
    """Collect the runtime's events into the returned list for as long as the block runs."""
    events: list[RuntimeEvent] = []

    async def collect() -> None:
        async for event in runtime.events():
            events.append(event)

    collecting = asyncio.create_task(collect())
    try:
        await until(lambda: events or collecting.done())
        yield events
    finally:
        collecting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await collecting
