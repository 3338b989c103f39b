"""What is wanted: stored whole or not at all, and never over somebody else's change."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from types import MappingProxyType

from bluegreen.domain.errors import Temporary
from bluegreen.domain.naming import Color, RouteId
from bluegreen.domain.override import Force, Override
from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.rollout import Phase, Reason
from bluegreen.domain.spec import ServiceSpec
from bluegreen.domain.stack import StackSpec
from bluegreen.ports.journal import (
    AddRelease,
    Change,
    DropStack,
    Journal,
    Memory,
    Query,
    SaveRollout,
    SaveService,
    SaveStack,
)
from bluegreen.testing.journal_contract.stage import (
    JournalSuite,
    Stage,
    a_release,
    a_rollout,
    a_service,
    a_stack,
    an_event,
    caught,
    refusal,
)


class MemoryContract(JournalSuite):
    """Loading, and comparing before setting."""

    def test_a_new_one_remembers_nothing(self) -> None:
        async def scenario(journal: Journal) -> None:
            assert await journal.load() == Memory()
            assert await journal.events(Query()) == ()
            assert await journal.rollouts(Query()) == ()
            assert await journal.releases("shop", "web") == ()

        self.run_one(scenario)

    def test_what_was_recorded_is_found_by_the_next_controller(self) -> None:
        stack = replace(a_stack(), spec=StackSpec(name="shop", services=(ServiceSpec(name="web"),)))
        service = replace(
            a_service(),
            releases=MappingProxyType({Color.GREEN: 3}),
            promoted=(1, 3),
            overrides={"x": Override(force=Force.OUT, why="disk", since=1.5)},
        )
        reason = Reason(code="probe_failed", message="no", evidence=(("body", "a\x00b\udc80\n"),))
        rollout = replace(
            a_rollout(),
            routes=(RouteId("shop.web"),),
            policy=RolloutPolicy(bake=math.inf, shares=(1, 100)),
            reason=reason,
        )
        spec = ServiceSpec(name="web", environment=MappingProxyType({"A": "ä=1"}), command=("a", "b"))
        release = replace(a_release(), spec=spec, ports=(80, 443))

        async def scenario(stage: Stage) -> None:
            async with stage.open() as journal:
                changes: list[Change] = [
                    SaveStack(stack),
                    SaveService(service),
                    SaveRollout(rollout),
                    AddRelease(release),
                ]
                written = await journal.record(changes, [an_event("ü")])
            async with stage.open() as journal:
                memory = await journal.load()
                assert memory == Memory(stacks=(stack,), services=(service,), rollouts=(rollout,))
                assert await journal.releases("shop", "web") == (release,)
                assert await journal.events(Query()) == written

        self.run(scenario)

    def test_all_stacks_and_services_are_loaded_in_a_stable_order(self) -> None:
        async def scenario(journal: Journal) -> None:
            for stack in ("shop", "blog"):
                services = [SaveService(a_service(name=name, stack=stack)) for name in ("web", "api")]
                await journal.record([SaveStack(a_stack(name=stack)), *services])
            memory = await journal.load()
            assert [record.spec.name for record in memory.stacks] == ["blog", "shop"]
            found = [(record.stack, record.name) for record in memory.services]
            assert found == [("blog", "api"), ("blog", "web"), ("shop", "api"), ("shop", "web")]

        self.run_one(scenario)

    def test_only_rollouts_under_way_are_loaded(self) -> None:
        async def scenario(journal: Journal) -> None:
            ended, open_one = a_rollout("r-1", phase=Phase.DONE), a_rollout("r-2", service="api")
            await journal.record([SaveRollout(ended), SaveRollout(open_one)])
            assert (await journal.load()).rollouts == (open_one,)
            closed = replace(open_one, phase=Phase.REVERTED, version=2)
            await journal.record([SaveRollout(closed)])
            assert (await journal.load()).rollouts == ()
            assert await journal.rollouts(Query()) == (closed, ended)

        self.run_one(scenario)

    def test_a_dropped_stack_is_forgotten_and_its_history_stays(self) -> None:
        async def scenario(journal: Journal) -> None:
            other = SaveService(a_service(stack="blog"))
            await journal.record([SaveStack(a_stack()), SaveService(a_service()), other])
            written = await journal.record([AddRelease(a_release()), SaveRollout(a_rollout())], [an_event()])
            await journal.record([DropStack("shop")])
            memory = await journal.load()
            assert memory.stacks == ()
            assert [record.stack for record in memory.services] == ["blog"]
            assert memory.rollouts == (a_rollout(),)
            assert await journal.releases("shop", "web") == (a_release(),)
            assert await journal.events(Query()) == written
            await journal.record([DropStack("shop")])
            await journal.record([SaveStack(a_stack(1)), SaveService(a_service(1))])

        self.run_one(scenario)

    def test_a_generation_must_follow_the_stored_one(self) -> None:
        async def scenario(journal: Journal) -> None:
            for save in (lambda n: SaveStack(a_stack(n)), lambda n: SaveService(a_service(n))):
                for refused, accepted in (((0, 2), 1), ((0, 1, 3), 2)):
                    for generation in refused:
                        assert await refusal(journal.record([save(generation)])) == "conflict"
                    await journal.record([save(accepted)])

        self.run_one(scenario)

    def test_a_version_must_be_greater_than_the_stored_one(self) -> None:
        async def scenario(journal: Journal) -> None:
            await journal.record([SaveRollout(a_rollout(version=5))])
            for version in (0, 4, 5):
                assert await refusal(journal.record([SaveRollout(a_rollout(version=version))])) == "conflict"
            await journal.record([SaveRollout(a_rollout(version=9))])
            assert (await journal.load()).rollouts == (a_rollout(version=9),)

        self.run_one(scenario)

    def test_a_release_is_added_once(self) -> None:
        async def scenario(journal: Journal) -> None:
            await journal.record([AddRelease(a_release(1)), AddRelease(a_release(1, "api"))])
            again = replace(a_release(1), image="shop:2")
            assert await refusal(journal.record([AddRelease(again)])) == "conflict"
            assert await journal.releases("shop", "web") == (a_release(1),)

        self.run_one(scenario)

    def test_releases_are_listed_by_number(self) -> None:
        async def scenario(journal: Journal) -> None:
            for number in (10, 9, 2):
                await journal.record([AddRelease(a_release(number))])
            assert [release.number for release in await journal.releases("shop", "web")] == [2, 9, 10]

        self.run_one(scenario)

    def test_a_conflict_is_temporary_and_names_the_thing(self) -> None:
        async def scenario(journal: Journal) -> None:
            error = await caught(journal.record([SaveStack(a_stack(7))]))
            assert isinstance(error, Temporary)
            assert "shop" in error.message

        self.run_one(scenario)

    def test_all_is_stored_or_nothing(self) -> None:
        async def scenario(journal: Journal) -> None:
            first = await journal.record([SaveService(a_service(1))], [an_event()])
            changes: list[Change] = [SaveStack(a_stack()), AddRelease(a_release()), SaveRollout(a_rollout())]
            stale = SaveService(a_service(1))
            assert await refusal(journal.record([*changes, stale], [an_event("never")])) == "conflict"
            assert await journal.load() == Memory(services=(a_service(1),))
            assert await journal.releases("shop", "web") == ()
            assert await journal.events(Query()) == first

        self.run_one(scenario)

    def test_changes_of_one_record_build_on_each_other(self) -> None:
        async def scenario(journal: Journal) -> None:
            await journal.record([SaveService(a_service(1)), SaveService(a_service(2)), DropStack("shop")])
            assert await journal.load() == Memory()
            await journal.record([DropStack("shop"), SaveService(a_service(1))])
            assert (await journal.load()).services == (a_service(1),)

        self.run_one(scenario)

    def test_of_two_controllers_one_wins(self) -> None:
        async def scenario(stage: Stage) -> None:
            async with stage.open() as one, stage.open() as other:
                for generation in range(1, 11):
                    change = SaveStack(a_stack(generation))
                    outcomes = await asyncio.gather(
                        refusal(one.record([change], [an_event("one")])),
                        refusal(other.record([change], [an_event("other")])),
                    )
                    assert sorted(outcomes) == ["", "conflict"]
                assert len(await one.events(Query())) == 10

        self.run(scenario)

    def test_a_cancelled_record_happened_wholly_or_not_at_all(self) -> None:
        async def scenario(journal: Journal) -> None:
            for generation in range(1, 11):
                before = (await journal.load()).stacks
                change = SaveStack(a_stack(before[0].generation + 1 if before else 1))
                async with asyncio.TaskGroup() as group:
                    task = group.create_task(journal.record([change], [an_event()]))
                    for _ in range(generation % 4):
                        await asyncio.sleep(0)
                    task.cancel()
            stored = (await journal.load()).stacks
            happened = len(await journal.events(Query()))
            assert (stored[0].generation if stored else 0) == happened

        self.run_one(scenario)
