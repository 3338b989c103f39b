"""Instances die in every way: it is told at once, what is wanted comes back, nothing is left over."""

from __future__ import annotations

import asyncio
import os
import signal

from bluegreen.domain.instance import Instance, InstanceSpec, InstanceState, RuntimeEventKind
from bluegreen.domain.spec import Limits, RestartPolicy
from bluegreen.drivers.runtimes.process import ProcessRuntime
from bluegreen.ports.runtime import Runtime
from bluegreen.testing.runtime_contract import watching
from bluegreen.testing.waiting import until
from tests.support.process_harness import ProcessHarness, is_alive, pid_of


class TestDeath(ProcessHarness):
    def test_a_kill_is_told_with_its_code_and_made_good_on_the_same_port(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            first = await self.started(runtime, self.instance(self.spec(restart=RestartPolicy.ALWAYS)))
            async with watching(runtime) as events:
                os.kill(pid_of(first), signal.SIGKILL)
                await self.told(events, RuntimeEventKind.DIED, first.name)
                assert [e.detail for e in events if e.kind is RuntimeEventKind.DIED] == ["exit code 137"]
                second = await self.becomes(runtime, first.name, lambda i: i.reachable and i.restarts == 1)
            assert (second.exit_code, second.port) == (137, first.port)

        self.run(scenario)

    def test_the_want_of_memory_is_told_as_such(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            greedy = self.instance(self.spec("--allocate", "300", limits=Limits(mem_limit=64 << 20)))
            async with watching(runtime) as events:
                await self.accepted(runtime, greedy)
                dead = await self.becomes(runtime, greedy.name, lambda i: i.state is InstanceState.EXITED)
                assert (dead.oom_killed, dead.exit_code) == (True, 137)
                await self.told(events, RuntimeEventKind.OOM, greedy.name)

        self.run(scenario)

    def test_many_deaths_at_once_are_each_made_good(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            spec = self.spec(restart=RestartPolicy.ALWAYS)
            wanted = [self.instance(spec, index=n) for n in range(1, 9)]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.started(runtime, each)) for each in wanted]
            first = [task.result() for task in tasks]
            assert len({each.port for each in first}) == len(wanted)
            for each in first:
                os.kill(pid_of(each), signal.SIGKILL)
            for each in first:
                await self.becomes(runtime, each.name, lambda i: i.reachable and i.restarts == 1)

        self.run(scenario)

    def test_a_stop_in_the_middle_of_a_crash_loop_ends_it(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            dying = self.instance(self.spec("--exit-at-start", "1", restart=RestartPolicy.ALWAYS))
            await self.accepted(runtime, dying)
            await self.becomes(
                runtime, dying.name, lambda i: i.restarts >= 2 and i.state is InstanceState.RESTARTING
            )
            await runtime.stop(dying.name)
            stopped = await self.seen(runtime, dying.name)
            assert stopped is not None
            assert (stopped.state, stopped.exit_code) == (InstanceState.EXITED, 1)

        self.run(scenario)


class TestFamilies(ProcessHarness):
    """An application may have children; they are part of the instance."""

    def test_children_die_with_a_parent_that_is_killed(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            parent, child = await self.family(runtime, "sleep 1000 & echo $!; wait")
            os.kill(pid_of(parent), signal.SIGKILL)
            await until(lambda: not is_alive(child))
            await self.becomes(runtime, parent.name, lambda i: i.state is InstanceState.EXITED)

        self.run(scenario)

    def test_a_family_that_ignores_its_signal_is_killed_after_the_grace(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            script = 'trap "" TERM; sleep 1000 & echo $!; while :; do wait; sleep 1000; done'
            parent, child = await self.family(runtime, script, grace=0.3)
            await runtime.stop(parent.name)
            assert not is_alive(child)
            stopped = await self.seen(runtime, parent.name)
            assert stopped is not None
            assert stopped.exit_code == 137

        self.run(scenario)

    def test_a_child_that_left_its_process_group_is_found_by_its_session(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            leave = "import os, time; os.setpgid(0, 0); print(os.getpid(), flush=True); time.sleep(1000)"
            script = f"{{python}} -c '{leave}' & wait"
            parent, child = await self.family(runtime, script)
            assert os.getpgid(child) != os.getpgid(pid_of(parent))
            await runtime.stop(parent.name)
            assert not is_alive(child)

        self.run(scenario)

    def test_the_children_of_a_wrapper_get_signal_and_grace_as_well(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            wrapped = self.spec()
            assert wrapped.process is not None
            script = " ".join(wrapped.process.command) + " & wait"
            listed = await self.started(runtime, self.instance(self.running("sh", "-c", script)))
            slow = asyncio.create_task(self.ask(listed, "/slow?seconds=1"))
            await until(lambda: self.answers(listed))
            await runtime.stop(listed.name)
            assert "version" in await slow
            assert not await self.answers(listed)

        self.run(scenario)

    async def family(self, runtime: Runtime, script: str, grace: float = 10.0) -> tuple[Instance, int]:
        """Start a shell with one child; return it and the child's pid, which the shell prints."""
        wanted: InstanceSpec = self.instance(self.running("sh", "-c", script, stop_grace=grace))
        await self.accepted(runtime, wanted)
        assert isinstance(runtime, ProcessRuntime)

        async def printed() -> list[str]:
            return [line async for line in runtime.logs(wanted.name)]

        (line,) = await until(printed)
        listed = await self.seen(runtime, wanted.name)
        assert listed is not None
        return listed, int(line)
