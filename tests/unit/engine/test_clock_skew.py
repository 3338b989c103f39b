"""What a controller publishes is believed by its order, not by its clock."""

from __future__ import annotations

from bluegreen.drivers.clock import SystemClock
from bluegreen.engine.announcer import Announcer
from bluegreen.engine.boxes import Boxes
from bluegreen.testing.fake_registry import FakeRegistry
from bluegreen.testing.waiting import until
from tests.unit.engine.boxes_world import BLUE, GREEN, World, carries, play, routing


class SkewedClock(SystemClock):
    """A clock that is an hour behind everybody else's."""

    def now(self) -> float:
        return super().now() - 3600.0


def test_a_controller_whose_clock_is_behind_is_believed_all_the_same() -> None:
    async def scenario(world: World) -> None:
        async with world.box("north") as balancer:
            await world.boxes.apply(routing())
            await until(carries(balancer, GREEN))
            behind = SkewedClock()
            successor = Boxes(Announcer(FakeRegistry(world.house), behind, "two"), behind, None)
            await successor.apply(routing(BLUE))
            await until(carries(balancer, BLUE))
            assert "older" not in world.told()

    play(scenario)
