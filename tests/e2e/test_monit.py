"""A real monit finds an instance that hangs and has it healed; users notice nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from bluegreen.domain.agent import Agent, AgentMode
from tests.support import monit_program
from tests.support.house import House, managed
from tests.support.waiting import until

HUNG = "shop-web-r1-1"


def test_monit_detects_a_hang_and_bluegreen_heals_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with House.standing() as house:
            only_monit = Agent(mode=AgentMode.OFF, drain=0.5)
            await house.up(managed(house.port, replicas=2, stop_grace=0.5, agent=only_monit))
            file = tmp_path / "bluegreen"
            done = await house.cli("export", "monit", "--cycle", "1", "-o", str(file))
            assert done.code == 0, done
            before = house.pids()

            async def healed() -> bool:
                instances = await house.get("/v1/instances")
                serving = [i["name"] for i in instances if i["rotation"] == "in"]
                return len(serving) == 2 and house.pids()[HUNG] != before[HUNG]

            # What had reached the instance when it began to hang is answered by the other one, once it ends.
            patient = {"post": 0, "timeout": 30.0, "slow_timeout": 30.0}
            async with house.users(**patient) as load, monit_program.running(tmp_path, file) as log:
                os.kill(before[HUNG], signal.SIGSTOP)
                await until(healed, timeout=60.0)
                assert f"'{HUNG}' exec:" in log.read_text()
                result = await load.stop()
            assert result.failed == 0, (result.failures_by_class, result.first_failures)
            assert house.pids()["shop-web-r1-2"] == before["shop-web-r1-2"]
            events = await house.get("/v1/events?service=web")
            assert any("monit" in event["message"] for event in events), events

    asyncio.run(main())
