"""Who may act: leases with fences."""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain.errors import Temporary
from bluegreen.ports.journal import (
    Journal,
)
from bluegreen.testing.journal_contract.stage import (
    NOW,
    JournalSuite,
    Stage,
    caught,
    refusal,
)


class LeaseContract(JournalSuite):
    """Leases."""

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
