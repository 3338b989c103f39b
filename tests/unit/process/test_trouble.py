"""What the machine may refuse: disk, ports, folders. Refused clearly, and nothing half started."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.domain.errors import Permanent, Temporary, UserError
from bluegreen.domain.instance import InstanceState
from bluegreen.domain.spec import RestartPolicy
from bluegreen.drivers.runtimes.process import ProcessRuntime
from bluegreen.drivers.runtimes.process.ports import choose_port
from bluegreen.drivers.runtimes.process.store import Record, Store
from bluegreen.ports.runtime import Runtime
from tests.support.process_harness import ProcessHarness, pid_of


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB, which the test can fill."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path) -> Path:
    """Write to the disk until nothing more fits; return the file that takes the space."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return ballast
    raise AssertionError("the disk takes no end")


class TestFullDisk(ProcessHarness):
    @pytest.fixture(autouse=True)
    def _on_small_disk(self, small_disk: Path, _state: None) -> None:
        self.disk = small_disk
        self.state_dir = small_disk

    def test_a_start_is_refused_and_nothing_runs_until_there_is_space(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            await self.started(runtime, self.instance(index=1))
            ballast = fill(self.disk)
            with pytest.raises(Temporary) as refused:
                await runtime.start(self.instance(index=2))
            assert refused.value.code == "disk_full"
            assert refused.value.hint
            (alone,) = await runtime.list(self.stack)
            assert await self.answers(alone)
            ballast.unlink()
            await self.started(runtime, self.instance(index=2))

        self.run(scenario)

    def test_a_restart_waits_for_space_and_says_why(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            first = await self.started(runtime, self.instance(self.spec(restart=RestartPolicy.ALWAYS)))
            ballast = fill(self.disk)
            os.kill(pid_of(first), 9)
            waiting = await self.becomes(runtime, first.name, lambda i: "disk is full" in i.error)
            assert waiting.state is InstanceState.RESTARTING
            ballast.unlink()
            back = await self.becomes(runtime, first.name, lambda i: i.reachable)
            assert (back.error, back.restarts) == ("", 1)

        self.run(scenario)

    def test_a_stop_that_cannot_be_recorded_is_refused_and_changes_nothing(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            first = await self.started(runtime, self.instance())
            ballast = fill(self.disk)
            with pytest.raises(Temporary) as refused:
                await runtime.stop(first.name)
            assert refused.value.code == "disk_full"
            assert await self.answers(first)
            ballast.unlink()
            await runtime.stop(first.name)

        self.run(scenario)


class TestRefusals(ProcessHarness):
    def test_a_state_folder_that_cannot_be_used_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")

        async def scenario(_runtime: Runtime) -> None:
            raise AssertionError("opened in spite of it")

        self.state_dir = tmp_path / "file" / "state"
        with pytest.raises(Permanent) as refused:
            self.run(scenario)
        assert refused.value.code == "state_unwritable"
        assert str(self.state_dir) in refused.value.message

    def test_a_port_that_was_taken_meanwhile_is_replaced(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            wanted = self.instance()
            first = await self.started(runtime, wanted)
            await runtime.stop(first.name)
            with socket.create_server(("127.0.0.1", first.port or 0)):
                second = await self.started(runtime, wanted)
                assert second.port != first.port

        self.run(scenario)

    def test_a_chosen_port_lies_below_the_kernels_own_and_is_nobody_elses(self) -> None:
        ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        taken = {choose_port("127.0.0.1", ()) for _ in range(50)}
        assert max(taken) < ephemeral
        assert choose_port("127.0.0.1", taken) not in taken

    def test_no_free_port_is_an_error_with_a_hint(self) -> None:
        with pytest.raises(Temporary) as refused:
            choose_port("127.0.0.1", range(65536))
        assert refused.value.code == "no_port"
        assert refused.value.hint

    @pytest.mark.parametrize("name", ["", "../escape", "a/b", "-x", "x" * 300])
    def test_a_name_that_is_no_file_name_is_refused(self, name: str) -> None:
        async def scenario(runtime: Runtime) -> None:
            with pytest.raises(UserError) as refused:
                await runtime.start(replace(self.instance(), name=name))
            assert refused.value.code == "bad_name"
            assert await runtime.list() == ()

        self.run(scenario)

    def test_a_command_that_cannot_be_executed_leaves_its_reason_in_the_log(self, tmp_path: Path) -> None:
        program = tmp_path / "program"
        program.write_text("#!/no/such/interpreter\n")
        program.chmod(0o755)

        async def scenario(runtime: Runtime) -> None:
            wanted = self.instance(self.running(str(program)))
            await self.accepted(runtime, wanted)
            ended = await self.becomes(runtime, wanted.name, lambda i: i.state is InstanceState.EXITED)
            assert ended.exit_code in (126, 127)
            assert isinstance(runtime, ProcessRuntime)
            (line,) = [line async for line in runtime.logs(wanted.name)]
            assert str(program) in line

        self.run(scenario)


class TestLettingGo(ProcessHarness):
    def test_a_write_under_way_ends_before_the_next_controller_may_write(self, tmp_path: Path) -> None:
        """The thread of a write outlives the task that waited for it, and the two would share a draft."""
        record = Record(spec=self.instance())
        # A draft that is a pipe holds the write up for as long as nobody reads it.
        pipe = (tmp_path / record.spec.name).with_suffix(".tmp")
        os.mkfifo(pipe)
        store = Store(tmp_path)
        with ThreadPoolExecutor() as threads:
            writing = threads.submit(store.save, record)
            reader = os.open(pipe, os.O_RDONLY)
            closing = threads.submit(store.close)
            assert not closing.done() or writing.done()
            os.close(reader)
            with pytest.raises(Permanent):  # a pipe cannot be made durable
                writing.result(timeout=10)
            closing.result(timeout=10)

    def test_nothing_is_written_after_it(self, tmp_path: Path) -> None:
        store = Store(tmp_path)
        record = Record(spec=self.instance())
        store.save(record)
        store.close()
        store.save(replace(record, restarts=7))
        store.delete(record.spec.name)
        assert Store(tmp_path).load() == [record]
