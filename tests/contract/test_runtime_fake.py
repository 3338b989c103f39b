"""The fake runtime keeps the contract of the real ones, so that what is proved on it holds."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from bluegreen.domain.instance import Instance, InstanceSpec
from bluegreen.domain.spec import Limits, ServiceSpec
from bluegreen.ports.runtime import Runtime
from bluegreen.testing.fake_runtime import Behaviour, FakeRuntime
from bluegreen.testing.runtime_contract import RuntimeContract


def behaviour(instance: InstanceSpec) -> Behaviour:
    """Do what the sample application does with the same options."""
    command = instance.spec.command or ()
    exits = int(command[command.index("--exit-at-start") + 1]) if "--exit-at-start" in command else None
    ignored = frozenset({"TERM"}) if "--ignore-term" in command else frozenset[str]()
    says = "version 1.2.3 listens" if exits is None else f"ends at start with {exits}"
    return Behaviour(says=(says,), exits=exits, ignores=ignored)


def execute(_name: str, command: Sequence[str]) -> tuple[int, str]:
    return (3, "out\nerr\n") if "exit 3" in command[-1] else (0, "")


class TestFakeRuntime(RuntimeContract):
    patience = 2.0

    @pytest.fixture(autouse=True)
    def _world(self) -> None:
        self.world = FakeRuntime()
        self.world.behaves = behaviour
        self.world.executes = execute

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Runtime]:
        yield self.world

    def spec(self, *arguments: str, **overrides: Any) -> ServiceSpec:
        fields: dict[str, Any] = {"name": "web", "image": "sample:1.2.3", "command": arguments} | overrides
        return ServiceSpec(**fields)

    def broken_specs(self) -> Mapping[str, ServiceSpec]:
        self.world.missing_images.add("absent:1")
        return {"no_command": self.spec(image=None), "image_missing": self.spec(image="absent:1")}

    async def limits_of(self, runtime: Runtime, name: str) -> Limits:
        return self.world.specs[name].spec.limits

    async def ask(self, instance: Instance, path: str) -> str:
        now = self.world.instances.get(instance.name)
        if now is None or now.incarnation != instance.incarnation or not now.running:
            raise ConnectionRefusedError
        if path == "/crash":
            self.world.crash(instance.name, 1)
        if path.startswith("/say?text="):
            self.world.say(instance.name, path.partition("=")[2])
        return f"version {self.version}"
