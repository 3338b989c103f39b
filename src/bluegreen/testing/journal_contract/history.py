"""What happened: events and rollouts, in order and found again."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from bluegreen.ports.journal import (
    Journal,
    Query,
    SaveRollout,
)
from bluegreen.testing.journal_contract.stage import (
    JournalSuite,
    Stage,
    a_rollout,
    an_event,
)


class HistoryContract(JournalSuite):
    """Events and rollouts."""

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
