"""The Docker runtime on a real Docker Engine: the contract of every runtime."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bluegreen.domain.spec import Limits, ServiceSpec
from bluegreen.drivers.runtimes.docker import Options, open_runtime
from bluegreen.ports.runtime import Runtime
from bluegreen.testing.runtime_contract import RuntimeContract
from tests.support.docker_engine import DockerEngine

pytestmark = pytest.mark.docker

IMAGE = "tactivos/devops-challenge:0.0.1"


class TestDockerRuntime(RuntimeContract):
    patience = 30.0

    @pytest.fixture(autouse=True)
    def _engine(self, docker_engine: DockerEngine) -> None:
        self.engine = docker_engine

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Runtime]:
        async with open_runtime(Options(url=self.engine.url)) as runtime:
            yield runtime

    def spec(self, *arguments: str, **overrides: Any) -> ServiceSpec:
        command = ("python3", "/srv/app.py", "--version", self.version, *arguments)
        return ServiceSpec(**({"name": "web", "image": IMAGE, "command": command} | overrides))

    def broken_specs(self) -> Mapping[str, ServiceSpec]:
        return {
            "no_image": self.spec(image=None),
            "image_name_invalid": self.spec(image="Not A Name"),
            "limit_impossible": self.spec(limits=Limits(memswap_limit=1 << 30)),
        }

    async def limits_of(self, runtime: Runtime, name: str) -> Limits:
        """Read the limits inside the container, where the kernel enforces them."""
        files = ("cpu/cpu.shares", "cpuset/cpuset.cpus", "memory/memory.limit_in_bytes")
        command = ("cat", *(f"/sys/fs/cgroup/{file}" for file in files))
        code, output = await self.console(runtime).execute(name, command)
        assert code == 0, output
        shares, cpuset, memory = output.split()
        return Limits(cpu_shares=int(shares), cpuset=cpuset, mem_limit=int(memory))
