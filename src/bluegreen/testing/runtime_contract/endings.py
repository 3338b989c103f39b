"""How instances end, come back by their restart policy, and what the event stream says of it."""

from __future__ import annotations

from bluegreen.domain.instance import InstanceState, RuntimeEventKind
from bluegreen.domain.spec import RestartPolicy
from bluegreen.ports.runtime import Runtime
from bluegreen.testing.runtime_contract.harness import RuntimeHarness, watching


class EndingsContract(RuntimeHarness):
    """Exit codes, restart policies, events."""

    def test_the_exit_code_of_an_application_that_ends_is_seen(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            dying = self.instance(self.spec("--exit-at-start", "3"))
            await self.accepted(runtime, dying)
            ended = await self.becomes(runtime, dying.name, lambda i: i.state is InstanceState.EXITED)
            assert (ended.exit_code, ended.restarts) == (3, 0)

        self.run(scenario)

    def test_always_brings_it_back_even_after_a_success(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            dying = self.instance(self.spec("--exit-at-start", "0", restart=RestartPolicy.ALWAYS))
            await self.accepted(runtime, dying)
            came_back = await self.becomes(runtime, dying.name, lambda i: i.restarts >= 2)
            assert came_back.exit_code in (0, None)

        self.run(scenario)

    def test_a_restart_is_a_new_incarnation(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            mortal = self.instance(self.spec(restart=RestartPolicy.ALWAYS))
            first = await self.started(runtime, mortal)
            await self.crash(runtime, first)
            second = await self.becomes(runtime, mortal.name, lambda i: i.reachable and i.restarts == 1)
            assert second.incarnation != first.incarnation

        self.run(scenario)

    def test_on_failure_gives_up_after_its_attempts(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            dying = self.instance(
                self.spec("--exit-at-start", "4", restart=RestartPolicy.ON_FAILURE, restart_attempts=2)
            )
            await self.accepted(runtime, dying)
            gave_up = await self.becomes(
                runtime, dying.name, lambda i: i.state is InstanceState.EXITED and i.restarts == 2
            )
            assert gave_up.exit_code == 4

        self.run(scenario)

    def test_on_failure_lets_a_success_end(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            ending = self.instance(self.spec("--exit-at-start", "0", restart=RestartPolicy.ON_FAILURE))
            await self.accepted(runtime, ending)
            ended = await self.becomes(runtime, ending.name, lambda i: i.state is InstanceState.EXITED)
            assert (ended.exit_code, ended.restarts) == (0, 0)

        self.run(scenario)

    def test_events_begin_with_resync_and_tell_start_death_and_removal(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            async with watching(runtime) as events:
                assert events[0].kind is RuntimeEventKind.RESYNC
                first = await self.started(runtime, self.instance())
                await self.told(events, RuntimeEventKind.STARTED, first.name)
                await runtime.stop(first.name)
                await self.told(events, RuntimeEventKind.DIED, first.name)
                await runtime.remove(first.name)
                await self.told(events, RuntimeEventKind.REMOVED, first.name)

        self.run(scenario)

    def test_events_tell_of_a_crash_and_of_the_return(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            first = await self.started(runtime, self.instance(self.spec(restart=RestartPolicy.ALWAYS)))
            async with watching(runtime) as events, watching(runtime) as others:
                await self.crash(runtime, first)
                for stream in (events, others):
                    await self.told(stream, RuntimeEventKind.DIED, first.name)
                    await self.told(stream, RuntimeEventKind.STARTED, first.name)

        self.run(scenario)
