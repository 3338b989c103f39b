"""A command that is sent again after the controller died: the same rollout, and only one."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from tests.support.house import APP, House, managed
from tests.support.waiting import until

DEPLOY = "/v1/services/web/deploy"


def test_one_key_is_one_release_whenever_the_controller_dies() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port))
            first = await _deploy(house, "0.0.2")
            await house.settled(first["id"])
            house.kill()
            await house.start()
            assert (await _deploy(house, "0.0.2"))["id"] == first["id"]
            await _killed_under_the_command_line(house)
            began = [r["release"] for r in await house.get("/v1/rollouts?service=web")]
            assert began == [3, 2, 1]
            assert await house.version() == "0.0.1"

    asyncio.run(main())


async def _deploy(house: House, tag: str) -> dict[str, Any]:
    transport = httpx.AsyncHTTPTransport(uds=str(house.home / "bluegreen.sock"), verify=False)
    async with httpx.AsyncClient(verify=False, transport=transport, base_url="http://controller") as client:
        answer = await client.post(
            DEPLOY, json={"image": f"{APP}:{tag}"}, headers={"Idempotency-Key": "release-2"}, timeout=30.0
        )
    assert answer.status_code == 202, answer.text
    begun: dict[str, Any] = answer.json()["rollout"]
    return begun


async def _killed_under_the_command_line(house: House) -> None:
    """The controller stands still when the command comes, and is killed before it read it."""
    with house.suspended():
        command = asyncio.create_task(house.cli("deploy", "web", "--image", f"{APP}:0.0.1"))
        await until(lambda: _waits(house), timeout=30.0)
        house.kill()
    await house.start()
    ran = await command
    assert ran.code == 0, ran
    assert "release 3" in ran.err


async def _waits(house: House) -> bool:
    """Whether somebody is connected to the socket whom nobody has let in yet."""
    path = str(house.home / "bluegreen.sock").encode()
    with open("/proc/net/unix", "rb") as table:
        states = [line.split()[5] for line in table if line.rstrip().endswith(path)]
    return b"02" in states
