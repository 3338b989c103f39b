"""Start, list, stop, remove: idempotent, by name, and never silently replacing."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.instance import InstanceState
from bluegreen.domain.naming import Color
from bluegreen.domain.spec import RestartPolicy
from bluegreen.ports.runtime import Runtime
from bluegreen.testing.runtime_contract.harness import RuntimeHarness


class LifecycleContract(RuntimeHarness):
    """An instance comes, is listed and goes."""

    def test_a_started_instance_answers_and_is_listed_with_all_it_is(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            wanted = self.instance(index=2, release=7, color=Color.GREEN)
            listed = await self.started(runtime, wanted)
            assert self.version in await self.ask(listed, "/version")
            assert (listed.name, listed.stack, listed.service) == (wanted.name, self.stack, "web")
            assert (listed.release, listed.index, listed.color) == (7, 2, Color.GREEN)
            assert listed.config_hash == wanted.config_hash
            assert listed.state is InstanceState.RUNNING
            assert listed.incarnation
            assert listed.started_at > 1_600_000_000
            assert (listed.restarts, listed.exit_code, listed.oom_killed) == (0, None, False)

        self.run(scenario)

    def test_an_instance_without_a_color_is_listed_without_one(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            listed = await self.started(runtime, self.instance(color=None))
            assert listed.color is None

        self.run(scenario)

    def test_start_of_a_running_instance_leaves_it_alone(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            wanted = self.instance()
            first = await self.started(runtime, wanted)
            again = await self.started(runtime, wanted)
            assert again == first

        self.run(scenario)

    def test_concurrent_starts_of_one_instance_make_one(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            wanted = self.instance()
            prepared = await runtime.prepare(self.stack, wanted.spec)
            wanted = replace(wanted, image=prepared.image or wanted.image)
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(runtime.start(wanted))
            first = await self.started(runtime, wanted)
            assert len(await runtime.list(self.stack)) == 1
            assert first.restarts == 0

        self.run(scenario)

    def test_a_name_with_another_configuration_is_refused_and_left_running(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            first = await self.started(runtime, self.instance())
            other = self.instance(self.spec(environment={"COLOR": "other"}))
            assert other.name == first.name
            with pytest.raises(BluegreenError) as refused:
                await runtime.start(other)
            assert refused.value.code == "name_taken"
            assert refused.value.hint
            assert await self.seen(runtime, first.name) == first

        self.run(scenario)

    def test_a_stopped_instance_starts_again_under_its_name(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            wanted = self.instance()
            first = await self.started(runtime, wanted)
            await runtime.stop(first.name)
            second = await self.started(runtime, wanted)
            assert second.incarnation != first.incarnation

        self.run(scenario)

    def test_list_filters_by_stack_and_service(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            web = await self.started(runtime, self.instance(self.spec(name="web")))
            api = await self.started(runtime, self.instance(self.spec(name="api"), color=None))
            assert {i.name for i in await runtime.list(self.stack)} == {web.name, api.name}
            assert {i.name for i in await runtime.list(self.stack, "api")} == {api.name}
            assert {i.name for i in await runtime.list()} >= {web.name, api.name}
            assert await runtime.list(self.stack, "we") == ()
            assert await runtime.list(f"{self.stack}x") == ()

        self.run(scenario)

    def test_a_stopped_instance_stays_listed_and_is_not_brought_back(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            first = await self.started(runtime, self.instance(self.spec(restart=RestartPolicy.ALWAYS)))
            await runtime.stop(first.name)
            stopped = await self.becomes(runtime, first.name, lambda i: i.state is InstanceState.EXITED)
            assert stopped.exit_code == 0
            await runtime.stop(first.name)
            assert (await self.seen(runtime, first.name)) == stopped

        self.run(scenario)

    def test_a_stopped_instance_stays_stopped_for_the_next_controller(self) -> None:
        names: list[str] = []

        async def before(runtime: Runtime) -> None:
            first = await self.started(runtime, self.instance(self.spec(restart=RestartPolicy.ALWAYS)))
            await runtime.stop(first.name)
            names.append(first.name)

        async def after(runtime: Runtime) -> None:
            found = await self.seen(runtime, names[0])
            assert found is not None
            assert found.state is InstanceState.EXITED

        self.run(before, after)

    def test_an_application_that_ignores_its_signal_is_killed_after_the_grace(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            stubborn = self.instance(self.spec("--ignore-term", stop_grace=1.0))
            first = await self.started(runtime, stubborn)
            await runtime.stop(first.name)
            stopped = await self.becomes(runtime, first.name, lambda i: i.state is InstanceState.EXITED)
            assert stopped.exit_code == 137

        self.run(scenario)

    def test_stop_uses_the_signal_of_the_service(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            # It ignores TERM: only with INT can it end by itself, with status 0.
            first = await self.started(
                runtime, self.instance(self.spec("--ignore-term", stop_signal="INT", stop_grace=30.0))
            )
            await runtime.stop(first.name)
            stopped = await self.becomes(runtime, first.name, lambda i: i.state is InstanceState.EXITED)
            assert stopped.exit_code == 0

        self.run(scenario)

    def test_remove_ends_and_forgets_and_may_be_repeated(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            first = await self.started(runtime, self.instance(self.spec(restart=RestartPolicy.ALWAYS)))
            await runtime.remove(first.name)
            assert await runtime.list(self.stack) == ()
            await runtime.remove(first.name)
            assert not await self.answers(first)

        self.run(scenario)

    def test_stop_and_remove_of_what_never_was_are_fine(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            await runtime.stop(f"{self.stack}-web-r1-1")
            await runtime.remove(f"{self.stack}-web-r1-1")
            assert await runtime.list(self.stack) == ()

        self.run(scenario)

    def test_a_removed_name_can_be_used_by_another_configuration(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            first = await self.started(runtime, self.instance())
            await runtime.remove(first.name)
            second = await self.started(runtime, self.instance(self.spec(environment={"COLOR": "other"})))
            assert second.config_hash != first.config_hash

        self.run(scenario)
