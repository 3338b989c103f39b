"""What users got is measured over a release and the death of the controller, and nobody pays for it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.support import promtool
from tests.support.house import House, managed
from tests.support.waiting import until


async def colors(house: House) -> dict[str, Any]:
    """Return what was measured in the last minute, by color."""
    (service,) = await house.get("/v1/services")
    return {one["color"]: one["traffic"] for one in service["colors"]}


async def counted(house: House, color: str) -> float:
    text = (await house.request("GET", "/metrics")).text
    wanted = f'bluegreen_request_duration_seconds_count{{color="{color}",service="web",stack="shop"}}'
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(wanted))


def lines_about(house: House, rollout: str) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in house.log().splitlines() if line.startswith("{"))
    return [line for line in lines if line.get("rollout") == rollout]


def test_what_users_got_is_measured_over_a_release_and_the_death_of_the_controller() -> None:
    async def story() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port))
            assert await colors(house) == {"blue": None}
            async with house.users(rate=100.0) as load:
                await until(lambda: is_measured(house, "blue"))
                rollout = await house.deploy("web", "0.0.2")
                await until(lambda: is_measured(house, "green"))
                balancer = {p.pid for p in house.processes("haproxy")}

                house.kill()
                await house.start()
                assert (await colors(house))["blue"] is None  # what was before is not made up
                await until(lambda: is_measured(house, "green"))
                assert {p.pid for p in house.processes("haproxy")} == balancer
                result = await load.stop()
            assert result.failed == 0, result.first_failures

            scraped = (await house.request("GET", "/metrics")).text
            ours = [line for line in scraped.splitlines(keepends=True) if "bluegreen_" in line]
            assert promtool.check("metrics", said="".join(ours)) == ""
            assert 0 < await counted(house, "green") <= result.requests
            shown = await house.cli("status")
            assert "P95" in shown.out
            told = lines_about(house, rollout["id"])
            assert {"rollout.began", "rollout.settled"} <= {line["event"] for line in told}
            assert {(line["stack"], line["service"]) for line in told} == {("shop", "web")}

    asyncio.run(story())


async def is_measured(house: House, color: str) -> bool:
    seen = (await colors(house))[color]
    return bool(seen) and seen["rate"] > 0 and 0 < seen["p50"] <= seen["p95"]
