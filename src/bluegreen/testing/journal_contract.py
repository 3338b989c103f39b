"""What every journal must do, as a test suite.

Derive from :class:`JournalContract` in a test module, implement :meth:`~JournalContract.stage`, and
pytest runs the suite against your driver. Rule: the suite speaks only the vocabulary of
:mod:`bluegreen.ports.journal`; two controllers are two journals opened on one :class:`Stage`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from bluegreen.domain.errors import BluegreenError, Temporary
from bluegreen.domain.events import Event
from bluegreen.domain.naming import Color, PoolId, RouteId
from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.release import Release, ServiceRecord
from bluegreen.domain.rollout import Kind, Phase, Reason, Rollout
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
    StackRecord,
)

NOW = 1_700_000_000.0


class Stage(Protocol):
    """Where one journal lives. Everything is gone when its context ends."""

    def open(self) -> AbstractAsyncContextManager[Journal]:
        """Open the journal as a controller does. May be open several times at once."""
        ...


def a_stack(generation: int = 1, name: str = "shop") -> StackRecord:
    return StackRecord(spec=StackSpec(name=name), generation=generation, changed_at=NOW)


def a_service(generation: int = 1, name: str = "web", stack: str = "shop") -> ServiceRecord:
    return ServiceRecord(stack=stack, name=name, generation=generation)


def a_release(number: int = 1, service: str = "web") -> Release:
    return Release(
        stack="shop",
        service=service,
        number=number,
        spec=ServiceSpec(name=service),
        image="shop:1",
        config_hash="0123456789abcdef",
        created_at=NOW,
    )


def a_rollout(
    id: str = "r-1", version: int = 1, phase: Phase = Phase.PROVING, service: str = "web"
) -> Rollout:
    return Rollout(
        id=id,
        kind=Kind.DEPLOY,
        stack="shop",
        service=service,
        target=PoolId(f"shop.{service}.green"),
        phase=phase,
        version=version,
    )


def an_event(message: str = "it happened", service: str = "web", rollout: str = "") -> Event:
    return Event(
        kind="test.happened", message=message, at=NOW, stack="shop", service=service, rollout=rollout
    )


class JournalContract:
    """See the module."""

    def stage(self) -> AbstractAsyncContextManager[Stage]:
        raise NotImplementedError

    def run(self, scenario: Callable[[Stage], Awaitable[None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(60), self.stage() as stage:
                await scenario(stage)

        asyncio.run(main())

    def run_one(self, scenario: Callable[[Journal], Awaitable[None]]) -> None:
        """Run a scenario for which one controller is enough."""

        async def opened(stage: Stage) -> None:
            async with stage.open() as journal:
                await scenario(journal)

        self.run(opened)

    # -- remembering ---------------------------------------------------------------------------

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
            a_service(), releases=MappingProxyType({Color.GREEN: 3}), promoted=(1, 3), drained={"x": "disk"}
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

    # -- compare and set -----------------------------------------------------------------------

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

    # -- events --------------------------------------------------------------------------------

    def test_events_get_ascending_ids_that_go_on_after_a_restart(self) -> None:
        async def scenario(stage: Stage) -> None:
            async with stage.open() as journal:
                first = await journal.record(
                    [], [an_event("a"), an_event("b"), replace(an_event("c"), id=99)]
                )
            async with stage.open() as journal:
                second = await journal.record([], [an_event("d")])
                ids = [event.id for event in (*first, *second)]
                assert ids == sorted(set(ids))
                assert ids[0] > 0
                assert [event.message for event in (*first, *second)] == ["a", "b", "c", "d"]
                assert await journal.events(Query()) == (*first, *second)

        self.run(scenario)

    def test_recording_nothing_is_fine(self) -> None:
        async def scenario(journal: Journal) -> None:
            assert await journal.record([]) == ()

        self.run_one(scenario)

    def test_events_recorded_at_the_same_time_get_different_ids(self) -> None:
        async def scenario(journal: Journal) -> None:
            many = await asyncio.gather(*(journal.record([], [an_event()] * 3) for _ in range(20)))
            assert len({event.id for written in many for event in written}) == 60

        self.run_one(scenario)

    def test_without_after_the_newest_are_returned_in_order(self) -> None:
        async def scenario(journal: Journal) -> None:
            written = await journal.record([], [an_event(str(number)) for number in range(9)])
            assert await journal.events(Query(limit=3)) == written[-3:]
            assert await journal.events(Query(limit=0)) == ()

        self.run_one(scenario)

    def test_with_after_the_next_ones_are_returned(self) -> None:
        async def scenario(journal: Journal) -> None:
            written = await journal.record([], [an_event(str(number)) for number in range(9)])
            assert await journal.events(Query(after=0, limit=2)) == written[:2]
            assert await journal.events(Query(after=written[4].id, limit=2)) == written[5:7]
            assert await journal.events(Query(after=written[-1].id)) == ()

        self.run_one(scenario)

    def test_events_are_found_by_stack_service_and_rollout(self) -> None:
        async def scenario(journal: Journal) -> None:
            wanted = an_event(rollout="r-1")
            others = [an_event(service="api"), replace(wanted, stack="blog"), replace(wanted, rollout="r-12")]
            (found, *_) = await journal.record([], [wanted, *others])
            assert len(await journal.events(Query(stack="shop"))) == 3
            assert len(await journal.events(Query(service="web"))) == 3
            assert len(await journal.events(Query(rollout="r-1"))) == 2
            assert await journal.events(Query(stack="shop", service="web", rollout="r-1")) == (found,)
            assert await journal.events(Query(stack="sho_")) == ()

        self.run_one(scenario)

    # -- rollouts ------------------------------------------------------------------------------

    def test_rollouts_are_listed_newest_first(self) -> None:
        async def scenario(journal: Journal) -> None:
            for number in (1, 2, 3):
                await journal.record([SaveRollout(a_rollout(f"r-{number}"))])
            await journal.record([SaveRollout(a_rollout("r-1", version=2))])
            found = await journal.rollouts(Query(limit=3))
            assert [rollout.id for rollout in found] == ["r-3", "r-2", "r-1"]
            assert [rollout.id for rollout in await journal.rollouts(Query(limit=1))] == ["r-3"]

        self.run_one(scenario)

    def test_a_rollout_is_found_by_the_beginning_of_its_id(self) -> None:
        async def scenario(journal: Journal) -> None:
            ids = ("ab%1", "ab_1", "AB_1", "abx1")
            await journal.record([SaveRollout(a_rollout(id)) for id in ids])
            for prefix, expected in (("ab", 3), ("ab_", 1), ("ab%", 1), ("AB_1", 1), ("b", 0)):
                assert len(await journal.rollouts(Query(rollout=prefix))) == expected, prefix

        self.run_one(scenario)

    def test_rollouts_are_found_by_stack_and_service(self) -> None:
        async def scenario(journal: Journal) -> None:
            web, api = a_rollout("r-1"), a_rollout("r-2", service="api")
            await journal.record([SaveRollout(web), SaveRollout(api)])
            assert await journal.rollouts(Query(stack="shop", service="api")) == (api,)
            assert await journal.rollouts(Query(stack="blog")) == ()

        self.run_one(scenario)

    # -- leases --------------------------------------------------------------------------------

    def test_a_lease_is_held_by_one(self) -> None:
        async def scenario(stage: Stage) -> None:
            async with stage.open() as one, stage.open() as other:
                lease = await one.hold("shop.web", "one", NOW, 10)
                assert (lease.owner, lease.expires_at) == ("one", NOW + 10)
                error = await caught(other.hold("shop.web", "other", NOW + 9.9, 10))
                assert isinstance(error, Temporary)
                assert error.code == "lease_held"
                assert "one" in error.message
                assert (await other.hold("shop.api", "other", NOW, 10)).owner == "other"

        self.run(scenario)

    def test_renewing_keeps_the_fence(self) -> None:
        async def scenario(journal: Journal) -> None:
            lease = await journal.hold("shop.web", "one", NOW, 10)
            renewed = await journal.hold("shop.web", "one", NOW + 9, 10)
            assert renewed == replace(lease, expires_at=NOW + 19)

        self.run_one(scenario)

    def test_every_new_holder_has_a_greater_fence(self) -> None:
        async def scenario(stage: Stage) -> None:
            async with stage.open() as journal:
                first = await journal.hold("shop.web", "one", NOW, 10)
                second = await journal.hold("shop.web", "other", NOW + 10, 10)
            async with stage.open() as journal:
                late = await journal.hold("shop.web", "other", NOW + 30, 10)
                await journal.hold("shop.web", "other", NOW + 31, 0)
                last = await journal.hold("shop.web", "one", NOW + 31, 10)
                assert first.fence < second.fence < late.fence < last.fence

        self.run(scenario)

    def test_a_lease_is_given_back(self) -> None:
        async def scenario(journal: Journal) -> None:
            await journal.hold("shop.web", "one", NOW, 10)
            assert await refusal(journal.hold("shop.web", "other", NOW, 0)) == "lease_held"
            returned = await journal.hold("shop.web", "one", NOW + 1, 0)
            assert returned.expires_at <= NOW + 1
            assert (await journal.hold("shop.web", "other", NOW + 1, 10)).owner == "other"
            await journal.hold("shop.api", "one", NOW, 0)

        self.run_one(scenario)

    # -- cancelling ----------------------------------------------------------------------------

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


async def refusal(call: Awaitable[object]) -> str:
    """Return the code of the error that ``call`` raises, ``""`` if it raises none."""
    error = await caught(call)
    return "" if error is None else error.code


async def caught(call: Awaitable[object]) -> BluegreenError | None:
    try:
        await call
    except BluegreenError as error:
        return error
    return None
