"""A runtime that only pretends to start instances, so that thousands of them fit on one machine.

Found by the controller through an entry point of its own (:func:`install`), like any driver. Each instance
has a loopback address of its own, at which one real server per color answers: 4,000 servers for HAProxy, the
journal and the engine, two processes for the machine. What is measured is everything but the runtime.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from bluegreen.domain.instance import (
    Instance,
    InstanceSpec,
    InstanceState,
    Prepared,
    RuntimeEvent,
    RuntimeEventKind,
)
from bluegreen.domain.spec import ServiceSpec

PORT = "PORT"
"""Environment of a service: the port of the real server that stands for its instances."""


class Options(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class CrowdRuntime:
    """See the module. Knows what was started for as long as the process lives."""

    name = "crowd"

    def __init__(self) -> None:
        self._instances: dict[tuple[str, str], dict[str, Instance]] = {}
        self._places: dict[str, tuple[str, str]] = {}
        self._events: asyncio.Queue[RuntimeEvent] = asyncio.Queue()
        self._numbers = itertools.count(1)

    async def prepare(self, stack: str, spec: ServiceSpec) -> Prepared:
        return Prepared(image=spec.image or "crowd")

    async def start(self, instance: InstanceSpec) -> None:
        key = (instance.stack, instance.service)
        number = next(self._numbers)
        self._places[instance.name] = key
        self._instances.setdefault(key, {})[instance.name] = Instance(
            name=instance.name,
            stack=instance.stack,
            service=instance.service,
            release=instance.release,
            index=instance.index,
            color=instance.color,
            config_hash=instance.config_hash,
            state=InstanceState.RUNNING,
            incarnation=str(number),
            host=f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}",
            port=int(instance.spec.environment[PORT]),
            started_at=time.time(),
        )
        self._tell(RuntimeEventKind.STARTED, key, instance.name)

    async def stop(self, name: str) -> None:
        await self.remove(name)

    async def remove(self, name: str) -> None:
        key = self._places.pop(name, None)
        if key is not None:
            del self._instances[key][name]
            self._tell(RuntimeEventKind.REMOVED, key, name)

    async def list(self, stack: str | None = None, service: str | None = None) -> tuple[Instance, ...]:
        if stack is not None and service is not None:
            return tuple(self._instances.get((stack, service), {}).values())
        groups = (found for (owner, _), found in self._instances.items() if stack in (None, owner))
        return tuple(instance for group in groups for instance in group.values())

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        yield RuntimeEvent(kind=RuntimeEventKind.RESYNC)
        while True:
            yield await self._events.get()

    async def logs(self, name: str, *, tail: int = 100, follow: bool = False) -> AsyncIterator[str]:
        lines: tuple[str, ...] = ()
        for line in lines:
            yield line

    async def execute(self, name: str, command: Sequence[str]) -> tuple[int, str]:
        return 0, ""

    def _tell(self, kind: RuntimeEventKind, key: tuple[str, str], name: str) -> None:
        self._events.put_nowait(
            RuntimeEvent(kind=kind, stack=key[0], service=key[1], instance=name, at=time.time())
        )


@asynccontextmanager
async def open_runtime(options: Options) -> AsyncIterator[CrowdRuntime]:
    yield CrowdRuntime()


def install(folder: Path) -> None:
    """Write the metadata of a distribution with our entry point; ``folder`` goes on ``PYTHONPATH``."""
    metadata = folder / "bluegreen_bench-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: bluegreen-bench\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text("[bluegreen.runtimes]\ncrowd = bench.crowd:open_runtime\n")
