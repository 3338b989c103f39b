"""The process runtime keeps the contract, with real processes and real control groups."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from bluegreen.domain.spec import Limits, ProcessSpec, ServiceSpec
from bluegreen.drivers.runtimes.process import Options, ProcessRuntime, open_runtime
from bluegreen.ports.runtime import Runtime
from bluegreen.testing.runtime_contract import RuntimeContract


class TestProcessRuntime(RuntimeContract):
    @pytest.fixture(autouse=True)
    def _state(self, tmp_path: Path) -> None:
        self.state_dir = tmp_path / "state"

    def open(self) -> AbstractAsyncContextManager[Runtime]:
        return open_runtime(Options(state_dir=self.state_dir))

    def spec(self, *arguments: str, **overrides: Any) -> ServiceSpec:
        command = ("{python}", "-m", "bluegreen.sample.app", "--port", "{port}", "--version", "{tag}")
        fields: dict[str, Any] = {
            "name": "web",
            "image": f"team/sample:{self.version}",
            "process": ProcessSpec(command=(*command, *arguments)),
        }
        return ServiceSpec(**fields | overrides)

    def broken_specs(self) -> Mapping[str, ServiceSpec]:
        return {
            "no_command": self.spec(process=None),
            "command_missing": self.spec(process=ProcessSpec(command=("no-such-program",))),
            "directory_missing": self.spec(process=ProcessSpec(command=("true",), directory="/no/such")),
            "bad_signal": self.spec(stop_signal="SIGNOT"),
        }

    async def limits_of(self, runtime: Runtime, name: str) -> Limits:
        assert isinstance(runtime, ProcessRuntime)
        return await runtime.limits(name)
