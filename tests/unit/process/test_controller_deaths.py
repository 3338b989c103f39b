"""The controller dies, by SIGKILL and at the worst moments; the next one finds and keeps what runs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.domain.errors import Permanent, Temporary
from bluegreen.domain.instance import Instance, InstanceState
from bluegreen.domain.spec import RestartPolicy
from bluegreen.drivers.runtimes.process.identity import identify
from bluegreen.drivers.runtimes.process.store import Record, Store
from bluegreen.ports.runtime import Runtime
from bluegreen.testing.waiting import until
from tests.support.process_harness import ProcessHarness, is_alive, pid_of

SUPPORT = Path(__file__).parents[2] / "support"


class TestDeathOfTheController(ProcessHarness):
    def test_after_sigkill_the_next_one_adopts_and_guards_what_runs(self) -> None:
        wanted = self.instance(self.spec(restart=RestartPolicy.ALWAYS))
        self.controlled(wanted)

        async def scenario(runtime: Runtime) -> None:
            (adopted,) = await runtime.list(self.stack)
            assert adopted.reachable
            await until(lambda: self.answers(adopted))
            os.kill(pid_of(adopted), signal.SIGKILL)
            back = await self.becomes(runtime, adopted.name, lambda i: i.reachable and i.restarts == 1)
            assert back.exit_code is None, "nobody can know the exit code of a stranger's child"
            await runtime.stop(back.name)
            assert not is_alive(pid_of(back))

        self.run(scenario)

    def test_what_died_meanwhile_comes_back_if_its_policy_says_so(self) -> None:
        for policy, restarts, state in (
            (RestartPolicy.ALWAYS, 1, InstanceState.RUNNING),
            (RestartPolicy.NO, 0, InstanceState.EXITED),
        ):
            wanted = self.instance(self.spec(name=f"web-{policy}", restart=policy))
            dead = self.controlled(wanted)
            os.kill(pid_of(dead), signal.SIGKILL)

            async def scenario(
                runtime: Runtime,
                dead: Instance = dead,
                restarts: int = restarts,
                state: InstanceState = state,
            ) -> None:
                now = await self.becomes(
                    runtime, dead.name, lambda i: i.state is state and i.restarts == restarts
                )
                assert (now.incarnation == dead.incarnation) is (state is InstanceState.EXITED)

            self.run(scenario)

    def test_a_stop_begun_before_the_death_is_completed_by_repeating_it(self) -> None:
        wanted = self.instance(self.spec("--ignore-term", stop_grace=0.3, restart=RestartPolicy.ALWAYS))
        alive = self.controlled(wanted)
        store = Store(self.state_dir / "instances")
        (record,) = store.load()
        store.save(replace(record, wanted=False))

        async def scenario(runtime: Runtime) -> None:
            (adopted,) = await runtime.list(self.stack)
            assert adopted.running
            await runtime.stop(adopted.name)
            assert not is_alive(pid_of(alive))
            (stopped,) = await runtime.list(self.stack)
            assert stopped.state is InstanceState.EXITED

        self.run(scenario)

    def test_a_process_that_is_not_on_record_never_begins(self, tmp_path: Path) -> None:
        for word, begins in (("go\n", True), ("", False)):
            marker = tmp_path / f"began{begins}"
            self.gatekeeper(marker, word)
            assert marker.exists() is begins

    def gatekeeper(self, marker: Path, word: str) -> None:
        """Have a process wait at the gate, say ``word``, kill its controller, wait for its end."""
        controller = subprocess.Popen(
            [sys.executable, SUPPORT / "gatekeeper.py", marker],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert controller.stdin is not None
        assert controller.stdout is not None
        pid = int(controller.stdout.readline())
        if word:
            controller.stdin.write(word)
            controller.stdin.flush()
            controller.wait(10)
        controller.kill()
        controller.communicate()
        asyncio.run(until(lambda: not is_alive(pid)))

    def test_a_second_controller_on_the_same_folder_is_refused(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            with pytest.raises(Temporary) as refused:
                async with self.open():
                    pass
            assert refused.value.code == "runtime_locked"
            await self.started(runtime, self.instance())

        self.run(scenario)


class TestRecords(ProcessHarness):
    """What the next controller reads may be old, wrong, or broken."""

    def test_a_pid_that_was_given_to_a_stranger_is_never_signalled(self) -> None:
        stranger = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        try:
            now = identify(stranger.pid)
            assert now is not None
            for wrong in (replace(now, ticks=now.ticks - 1), replace(now, boot="another boot")):
                wanted = self.instance(self.spec(stop_grace=0.1))
                self.recorded(Record(spec=wanted, process=wrong, port=20000))

                async def scenario(runtime: Runtime) -> None:
                    (found,) = await runtime.list(self.stack)
                    await self.becomes(runtime, found.name, lambda i: i.state is InstanceState.EXITED)
                    await runtime.stop(found.name)
                    await runtime.remove(found.name)

                self.run(scenario)
                assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()

    def test_a_broken_record_is_an_error_that_names_the_file(self) -> None:
        folder = self.state_dir / "instances"
        folder.mkdir(parents=True)
        broken = folder / "t-web-r1-1.json"
        broken.write_text('{"spec": ')

        async def scenario(_runtime: Runtime) -> None:
            raise AssertionError("opened in spite of it")

        with pytest.raises(Permanent) as refused:
            self.run(scenario)
        assert refused.value.code == "state_corrupt"
        assert str(broken) in refused.value.message
        assert refused.value.hint

    def test_a_draft_that_was_never_finished_is_ignored(self) -> None:
        folder = self.state_dir / "instances"
        folder.mkdir(parents=True)
        (folder / "t-web-r1-1.tmp").write_text('{"spec": ')

        async def scenario(runtime: Runtime) -> None:
            assert await runtime.list() == ()

        self.run(scenario)

    def recorded(self, record: Record) -> None:
        folder = self.state_dir / "instances"
        folder.mkdir(parents=True, exist_ok=True)
        Store(folder).save(record)
