"""A person holds a canary, the controller dies meanwhile, and users notice nothing of either."""

from __future__ import annotations

import asyncio
import time

from bluegreen.domain.policy import RolloutPolicy
from tests.e2e.sickness import goes_on
from tests.e2e.test_no_request_fails import unharmed
from tests.support.house import APP, House, managed
from tests.support.waiting import until

CANARY = RolloutPolicy(start_deadline=30.0, bake=0.0, drain=5.0, shares=(20, 60), step_pause=2.0)


def test_a_canary_is_held_through_the_death_of_the_controller_and_promoted() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port, rollout=CANARY, stop_grace=1.0))

            async def weights() -> dict[str, int]:
                (route,) = await house.get("/v1/routes")
                return {pool: share for pool, share in route["weights"].items() if share}

            async def moving() -> bool:
                (service,) = await house.get("/v1/services")
                return service["rollout"] is not None and service["rollout"]["phase"] == "shifting"

            async def first_share() -> bool:
                return await weights() == held

            held = {"shop.web.blue": 80, "shop.web.green": 20}
            async with house.users(slow_path="/slow?seconds=0.3") as load:
                deploy = asyncio.create_task(house.cli("deploy", "web", "--image", f"{APP}:0.0.2"))
                await until(moving, timeout=30.0)
                first = await house.post("/v1/rollouts/web/pause")
                id, since = first["id"], first["paused_at"]
                await until(first_share, timeout=20.0)
                again = await house.cli("pause", "web", "--json")
                assert (again.code, again.json()["rollout"]["paused_at"]) == (0, since), again
                house.kill()
                await house.start()
                await until(lambda: _past(since + CANARY.step_pause))
                await goes_on(load, 300)
                rollout = await house.get(f"/v1/rollouts/{id}")
                assert (rollout["phase"], rollout["paused_at"]) == ("shifting", since), rollout
                assert await weights() == held
                promoted = await house.cli("promote", id[:8], "--skip", "shares", "--until", "final")
                assert promoted.code == 0, promoted
                assert (await house.final(id))["phase"] == "done"
                followed = await deploy
                assert (followed.code, "paused by hand" in followed.err) == (0, True), followed
                assert await house.version() == "0.0.2"
                unharmed(await load.stop())

    asyncio.run(main())


async def _past(moment: float) -> bool:
    return time.time() > moment
