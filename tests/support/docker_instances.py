"""What the tests of the Docker runtime share: instances of the sample application, and their end."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from bluegreen.domain.instance import Instance, InstanceSpec
from bluegreen.domain.naming import instance_name
from bluegreen.domain.spec import ServiceSpec, config_hash
from bluegreen.drivers.runtimes.docker import DockerRuntime, Options, open_runtime
from tests.support.images import APP
from tests.support.waiting import until

PATIENCE = 30.0

Scenario = Callable[[DockerRuntime], Awaitable[None]]


class Stage:
    """One stack of its own on an engine: runs scenarios there and removes what they started."""

    def __init__(self, url: str, **options: Any) -> None:
        self.stack = f"t{uuid.uuid4().hex[:10]}"
        self.options = {"url": url, **options}

    def run(self, scenario: Scenario) -> None:
        async def main() -> None:
            async with asyncio.timeout(100):
                try:
                    async with open_runtime(Options(**self.options)) as runtime:
                        await scenario(runtime)
                finally:
                    await self.clear()

        asyncio.run(main())

    async def clear(self) -> None:
        async with open_runtime(Options(url=self.options["url"])) as runtime:
            for instance in await runtime.list(self.stack):
                await runtime.remove(instance.name)

    def instance(self, index: int = 1, *, service: str = "web", **fields: Any) -> InstanceSpec:
        defaults: dict[str, Any] = {"name": service, "image": f"{APP}:0.0.1", "stop_grace": 1.0}
        spec = ServiceSpec(**(defaults | fields))
        return InstanceSpec(
            name=instance_name(self.stack, service, 1, index),
            stack=self.stack,
            service=service,
            release=1,
            index=index,
            color=None,
            image=spec.image or "",
            config_hash=config_hash(spec),
            spec=spec,
            aliases=(service,),
        )

    def other(self, instance: InstanceSpec) -> InstanceSpec:
        """Return an instance of the same name with another configuration."""
        return replace(instance, config_hash="0" * 16)

    async def seen(self, runtime: DockerRuntime, name: str) -> Instance | None:
        return next((i for i in await runtime.list(self.stack) if i.name == name), None)

    async def becomes(self, runtime: DockerRuntime, name: str, test: Callable[[Instance], bool]) -> Instance:
        async def passes() -> Instance | None:
            found = await self.seen(runtime, name)
            return found if found is not None and test(found) else None

        return await until(passes, PATIENCE)
