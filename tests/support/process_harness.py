"""How the sample application runs as a local process: for the contract and for the tests beside it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from bluegreen.domain.instance import Instance, InstanceSpec, InstanceState
from bluegreen.domain.spec import Limits, ProcessSpec, ServiceSpec
from bluegreen.drivers.runtimes.process import Options, ProcessRuntime, open_runtime
from bluegreen.drivers.runtimes.process.store import Store
from bluegreen.ports.runtime import Runtime
from bluegreen.testing.runtime_contract import RuntimeHarness

SAMPLE = ("{python}", "-m", "bluegreen.sample.app", "--port", "{port}", "--version", "{tag}")


class ProcessHarness(RuntimeHarness):
    """The hooks of the runtime contract for the process runtime, on a state folder of the test."""

    @pytest.fixture(autouse=True)
    def _state(self, tmp_path: Path) -> None:
        self.state_dir = tmp_path / "state"

    def open(self) -> AbstractAsyncContextManager[ProcessRuntime]:
        return open_runtime(Options(state_dir=self.state_dir))

    def spec(self, *arguments: str, **overrides: Any) -> ServiceSpec:
        fields: dict[str, Any] = {
            "name": "web",
            "image": f"team/sample:{self.version}",
            "process": ProcessSpec(command=(*SAMPLE, *arguments)),
        }
        return ServiceSpec(**fields | overrides)

    def running(self, *command: str, **overrides: Any) -> ServiceSpec:
        """Return a spec that runs any command."""
        return self.spec(process=ProcessSpec(command=command), **overrides)

    def broken_specs(self) -> Mapping[str, ServiceSpec]:
        return {
            "no_command": self.spec(process=None),
            "command_missing": self.running("no-such-program"),
            "directory_missing": self.spec(process=ProcessSpec(command=("true",), directory="/no/such")),
            "bad_signal": self.spec(stop_signal="SIGNOT"),
        }

    def controlled(self, wanted: InstanceSpec) -> Instance:
        """Have a controller in a process of its own start an instance, and kill that controller.

        Return the instance as it is afterwards: alive, and nobody's child.
        """
        script = Path(__file__).with_name("process_controller.py")
        controller = subprocess.Popen(
            [sys.executable, script, self.state_dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert controller.stdin is not None
        assert controller.stdout is not None
        try:
            controller.stdin.write(TypeAdapter(InstanceSpec).dump_json(wanted))
            controller.stdin.close()
            assert controller.stdout.readline() == b"open\n"
        finally:
            controller.kill()
            controller.wait()
            controller.stdout.close()
        (record,) = (r for r in Store(self.state_dir / "instances").load() if r.spec.name == wanted.name)
        assert record.process is not None
        return Instance(
            name=wanted.name,
            stack=wanted.stack,
            service=wanted.service,
            release=wanted.release,
            index=wanted.index,
            color=wanted.color,
            config_hash=wanted.config_hash,
            state=InstanceState.RUNNING,
            incarnation=str(record.process),
            host="127.0.0.1",
            port=record.port,
        )

    async def limits_of(self, runtime: Runtime, name: str) -> Limits:
        assert isinstance(runtime, ProcessRuntime)
        return await runtime.limits(name)


def pid_of(instance: Instance) -> int:
    """Return the pid of a running instance, which is part of its incarnation."""
    return int(instance.incarnation.split("-")[1])


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and not just its zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"
