"""The runtime of local processes: the embedded default where there is no Docker.

Each instance is a process in a session of its own, with a port of its own on the loopback
address, and outlives the controller. This module is the port's face: names and locks live here,
what happens to one instance lives in its keeper.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from weakref import WeakValueDictionary

from bluegreen.domain.capacity import Capacity, check_limits
from bluegreen.domain.errors import UserError
from bluegreen.domain.instance import Instance, InstanceSpec, Prepared, RuntimeEvent, RuntimeEventKind
from bluegreen.domain.spec import Limits, ServiceSpec
from bluegreen.drivers.runtimes.process.cgroups import ControlGroups
from bluegreen.drivers.runtimes.process.command import check_command, signal_number, stop_signal
from bluegreen.drivers.runtimes.process.executing import execute
from bluegreen.drivers.runtimes.process.house import House
from bluegreen.drivers.runtimes.process.keeper import Keeper
from bluegreen.drivers.runtimes.process.logs import Logs
from bluegreen.drivers.runtimes.process.store import Record, Store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}")


class ProcessRuntime:
    """Implements ``Runtime`` and ``Console`` with local processes. Made by ``open_runtime``."""

    name = "process"

    def __init__(self, store: Store, groups: ControlGroups, logs: Logs, capacity: Capacity) -> None:
        self._capacity = capacity
        self._keepers: dict[str, Keeper] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._house = House(
            store=store,
            groups=groups,
            logs=logs,
            records=lambda: [keeper.record for keeper in self._keepers.values()],
        )

    async def adopt(self) -> None:
        """Take over what an earlier controller left. Raises ``Permanent`` (``state_corrupt``)."""
        for record in await asyncio.to_thread(self._house.store.load):
            name = record.spec.name
            self._keepers[name] = Keeper(self._house, record, self._lock(name))
        for keeper in self._keepers.values():
            keeper.adopt()

    async def close(self) -> None:
        """Let go of every instance; all of them go on running."""
        for keeper in self._keepers.values():
            await keeper.close()
        await asyncio.to_thread(self._house.store.close)
        self._house.logs.close()

    async def prepare(self, stack: str, spec: ServiceSpec) -> Prepared:
        check_command(spec)
        stop_signal(spec)
        check_limits(spec.name, spec.limits, self._capacity)
        await asyncio.to_thread(self._house.groups.check, spec.name, spec.limits)
        return Prepared(image=spec.image or "", warnings=_unheard(spec))

    async def start(self, instance: InstanceSpec) -> None:
        if _NAME.fullmatch(instance.name) is None:
            raise UserError(
                f"{instance.name!r} is no name", code="bad_name", hint="Use letters, digits, dashes."
            )
        check_command(instance.spec)
        async with self._lock(instance.name):
            keeper = self._keepers.get(instance.name)
            if keeper is None:
                await self._start_new(instance)
            elif keeper.record.spec.config_hash == instance.config_hash:
                await keeper.start(instance)
            else:
                raise UserError(
                    f"{instance.name} exists with another configuration",
                    code="name_taken",
                    hint=f"Remove {instance.name} first, or deploy a new release.",
                    evidence=(
                        ("has", keeper.record.spec.config_hash),
                        ("wanted", instance.config_hash),
                    ),
                )

    async def _start_new(self, instance: InstanceSpec) -> None:
        keeper = Keeper(self._house, Record(spec=instance), self._lock(instance.name))
        self._keepers[instance.name] = keeper
        try:
            await keeper.start(instance)
        except BaseException:
            if keeper.record.process is None:
                del self._keepers[instance.name]
                self._house.logs.forget(instance.name)
            raise

    async def stop(self, name: str) -> None:
        async with self._lock(name):
            if name in self._keepers:
                await self._keepers[name].stop()

    async def remove(self, name: str) -> None:
        async with self._lock(name):
            keeper = self._keepers.get(name)
            if keeper is None:
                return
            await keeper.stop()
            await keeper.forget()
            del self._keepers[name]
            self._house.events.tell(RuntimeEventKind.REMOVED, keeper.record.spec)

    async def list(self, stack: str | None = None, service: str | None = None) -> tuple[Instance, ...]:
        return tuple(
            keeper.describe()
            for _name, keeper in sorted(self._keepers.items())
            if stack in (None, keeper.record.spec.stack) and service in (None, keeper.record.spec.service)
        )

    def events(self) -> AsyncIterator[RuntimeEvent]:
        return self._house.events.listen()

    async def logs(self, name: str, *, tail: int = 100, follow: bool = False) -> AsyncIterator[str]:
        self._keeper(name)
        if follow:
            async for line in self._house.logs.follow(name, tail):
                yield line
        else:
            for line in await asyncio.to_thread(self._house.logs.tail, name, tail):
                yield line

    async def execute(self, name: str, command: Sequence[str]) -> tuple[int, str]:
        keeper = self._keeper(name)
        return await execute(
            keeper.launch(keeper.record.port or 0), command, lambda pid: self._house.groups.join(name, pid)
        )

    async def signal(self, name: str, signal: str) -> None:
        self._keeper(name).send(signal_number(signal, name))

    async def limits(self, name: str) -> Limits:
        """Return the limits of an instance as the kernel has them now."""
        return await asyncio.to_thread(self._house.groups.limits, name)

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    def _keeper(self, name: str) -> Keeper:
        keeper = self._keepers.get(name)
        if keeper is None:
            raise UserError(
                f"there is no instance {name}",
                code="instance_missing",
                hint="See `bluegreen ps` for the instances there are.",
            )
        return keeper


def _unheard(spec: ServiceSpec) -> tuple[str, ...]:
    """Return a warning for each wish of the service that a process cannot be given."""
    wishes = {
        "ports": spec.ports and "the runtime assigns each process a port of its own",
        "volumes": spec.mounts and "a process sees the host's files as they are",
    }
    return tuple(
        f"{spec.name}: {key} has no effect on processes: {why}" for key, why in wishes.items() if why
    )
