"""Logs, commands inside an instance, signals to it (:class:`bluegreen.ports.runtime.Console`)."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from bluegreen.domain.errors import UserError
from bluegreen.domain.instance import InstanceState, RuntimeEventKind
from bluegreen.domain.spec import RestartPolicy
from bluegreen.ports.runtime import Console, Runtime
from bluegreen.testing.runtime_contract.harness import RuntimeHarness, watching
from bluegreen.testing.waiting import until


class ConsoleContract(RuntimeHarness):
    """What a person wants of a single instance."""

    def console(self, runtime: Runtime) -> Console:
        """Return the runtime as the console it also is."""
        return cast(Console, runtime)

    def test_logs_hold_the_output_and_the_tail_of_it(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            console = self.console(runtime)
            listed = await self.started(runtime, self.instance())
            for word in ("one", "two", "three"):
                await self.ask(listed, f"/say?text={word}")

            async def last_two() -> list[str]:
                return [line async for line in console.logs(listed.name, tail=2)]

            async def complete() -> bool:
                return await last_two() == ["two", "three"]

            await until(complete, self.patience)

        self.run(scenario)

    def test_logs_can_be_followed(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            console = self.console(runtime)
            listed = await self.started(runtime, self.instance())
            lines: list[str] = []

            async def follow() -> None:
                async for line in console.logs(listed.name, tail=1, follow=True):
                    lines.append(line)

            async with asyncio.TaskGroup() as group:
                following = group.create_task(follow())
                await until(lambda: lines, self.patience)
                await self.ask(listed, "/say?text=news")
                await until(lambda: lines[-1] == "news", self.patience)
                following.cancel()

        self.run(scenario)

    def test_logs_of_an_ended_instance_are_still_there(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            console = self.console(runtime)
            dying = self.instance(self.spec("--exit-at-start", "3"))
            await self.accepted(runtime, dying)
            await self.becomes(runtime, dying.name, lambda i: i.state is InstanceState.EXITED)

            async def lines() -> list[str]:
                return [line async for line in console.logs(dying.name)]

            assert await until(lines, self.patience) == ["ends at start with 3"]

        self.run(scenario)

    def test_execute_returns_exit_code_and_output(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            console = self.console(runtime)
            listed = await self.started(runtime, self.instance())
            code, output = await console.execute(listed.name, ("sh", "-c", "echo out; echo err >&2; exit 3"))
            assert code == 3
            assert sorted(output.splitlines()) == ["err", "out"]

        self.run(scenario)

    def test_a_signal_reaches_the_application_and_its_end_is_foretold(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            # Only INT ends this one: TERM is ignored, and another signal than its own foretells no end.
            spec = self.spec("--ignore-term", stop_signal="INT", restart=RestartPolicy.ALWAYS)
            wanted = self.instance(spec)
            first = await self.started(runtime, wanted)
            async with watching(runtime) as events:
                await self.console(runtime).signal(first.name, "TERM")
                assert await self.answers(first)
                await self.console(runtime).signal(first.name, "SIGINT")
                await self.told(events, RuntimeEventKind.DIED, first.name)
                kinds = [e.kind for e in events if e.instance == first.name]
                assert kinds[:2] == [RuntimeEventKind.STOPPING, RuntimeEventKind.DIED]
            # Brought back by its policy or not, asked for again it runs.
            second = await self.started(runtime, wanted)
            assert second.incarnation != first.incarnation

        self.run(scenario)

    def test_kill_is_a_signal_like_any_other_and_what_ended_may_be_signalled(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            first = await self.started(runtime, self.instance())
            await self.console(runtime).signal(first.name, "KILL")
            ended = await self.becomes(runtime, first.name, lambda i: i.state is InstanceState.EXITED)
            assert ended.exit_code == 137
            await self.console(runtime).signal(first.name, "KILL")
            assert await self.seen(runtime, first.name) == ended

        self.run(scenario)

    def test_a_signal_that_there_is_not_is_refused(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            first = await self.started(runtime, self.instance())
            with pytest.raises(UserError) as refused:
                await self.console(runtime).signal(first.name, "NONSENSE")
            assert refused.value.code == "bad_signal"
            assert "NONSENSE" in refused.value.message
            assert refused.value.hint
            assert await self.seen(runtime, first.name) == first

        self.run(scenario)

    def test_the_console_of_what_never_was_is_an_error(self) -> None:
        async def scenario(runtime: Runtime) -> None:
            console = self.console(runtime)
            with pytest.raises(UserError) as refused:
                await console.execute(f"{self.stack}-web-r1-1", ("true",))
            assert refused.value.code == "instance_missing"
            with pytest.raises(UserError) as refused:
                await console.signal(f"{self.stack}-web-r1-1", "TERM")
            assert refused.value.code == "instance_missing"
            with pytest.raises(UserError) as refused:
                async for _line in console.logs(f"{self.stack}-web-r1-1"):
                    pass
            assert refused.value.code == "instance_missing"

        self.run(scenario)
