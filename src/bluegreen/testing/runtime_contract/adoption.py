"""The controller comes and goes, the instances stay."""

from __future__ import annotations

from bluegreen.domain.instance import Instance, RuntimeEventKind
from bluegreen.domain.spec import RestartPolicy
from bluegreen.ports.runtime import Runtime
from bluegreen.testing.runtime_contract.harness import RuntimeHarness, watching


class AdoptionContract(RuntimeHarness):
    """A runtime opened again finds what runs."""

    def test_the_next_controller_adopts_what_runs(self) -> None:
        found: list[Instance] = []

        async def before(runtime: Runtime) -> None:
            found.append(await self.started(runtime, self.instance()))

        async def after(runtime: Runtime) -> None:
            adopted = await self.seen(runtime, found[0].name)
            assert adopted == found[0]
            assert self.version in await self.ask(adopted, "/version")
            await runtime.start(self.instance())
            assert await self.seen(runtime, found[0].name) == found[0]

        self.run(before, after)

    def test_the_next_controller_is_told_of_the_death_of_what_it_adopted(self) -> None:
        async def before(runtime: Runtime) -> None:
            await self.started(runtime, self.instance(self.spec(restart=RestartPolicy.ALWAYS)))

        async def after(runtime: Runtime) -> None:
            (adopted,) = await runtime.list(self.stack)
            async with watching(runtime) as events:
                await self.crash(runtime, adopted)
                await self.told(events, RuntimeEventKind.DIED, adopted.name)
                back = await self.becomes(runtime, adopted.name, lambda i: i.reachable and i.restarts == 1)
                assert back.incarnation != adopted.incarnation

        self.run(before, after)
