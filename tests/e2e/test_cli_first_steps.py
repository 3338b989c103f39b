"""The first steps of a user, word for word: nothing runs, a stack file, and the old two lines."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.house import House, Ran

STACK = Path(__file__).parents[2] / "examples" / "01-devops-challenge" / "stack.process.yml"


@asynccontextmanager
async def empty_house() -> AsyncIterator[House]:
    """A house without a controller: the command line is to start one."""
    house = House()
    try:
        yield house
    finally:
        await house.cli("down", "--stop-controller", "--yes")
        await house.close()


def up(house: House) -> tuple[str, ...]:
    return ("up", "-f", str(STACK), "-n", "shop", "--publish", f"80={house.port}", "--runtime", "process")


def docker_cloud(house: House, *words: str) -> Ran:
    script = "from bluegreen.cli.main import docker_cloud; docker_cloud()"
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        env=house.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_green_blue_green_from_nothing_and_nothing_is_left() -> None:
    async def main() -> None:
        async with empty_house() as house:
            began = await house.cli(*up(house))
            assert began.code == 0, began
            assert f"lbx: webx-green on port {house.port}" in began.out
            assert "starting one in the background" in began.err
            assert await house.version() == "0.0.1"

            linked = docker_cloud(house, "service", "set", "--link", "webx-blue:webx-blue", "lbx")
            assert linked.code == 0, linked
            assert "To redeploy execute: $ docker-cloud service redeploy lbx" in linked.err
            assert "Running (*)" in docker_cloud(house, "service", "ps").out
            moved = docker_cloud(house, "service", "redeploy", "lbx")
            assert (moved.code, moved.out) == (0, "webx-blue has all the traffic\n")
            assert await house.version() == "0.0.2"

            back = await house.cli("rollback", "lbx")
            assert (back.code, back.out) == (0, "rolled back: webx-green has the traffic\n")
            assert await house.version() == "0.0.1"

            gone = await house.cli("down", "--stop-controller")
            assert gone.code == 0, gone
            assert house.processes() == []

    asyncio.run(main())


def test_the_background_controller_has_a_session_of_its_own() -> None:
    async def main() -> None:
        async with empty_house() as house:
            assert (await house.cli(*up(house))).code == 0
            pid = (await house.get("/v1/about"))["pid"]
            assert os.getsid(pid) == pid
            again = await house.cli(*up(house))
            assert again.code == 0, again
            assert (await house.get("/v1/about"))["pid"] == pid

    asyncio.run(main())


def test_two_at_a_time_start_one_controller() -> None:
    async def main() -> None:
        async with empty_house() as house:
            ran = await asyncio.gather(house.cli(*up(house)), house.cli(*up(house)))
            assert [r.code for r in ran] == [0, 0], ran
            assert len(house.processes("-m bluegreen serve")) == 1
            assert await house.version() == "0.0.1"

    asyncio.run(main())


def test_every_view_of_a_running_stack_is_one_json_document() -> None:
    async def main() -> None:
        async with empty_house() as house:
            assert (await house.cli(*up(house))).code == 0
            for words in (
                "status",
                "ps",
                "history",
                "inspect lbx",
                "inspect webx-green",
                "inspect shop",
                "service ps",
                "service inspect webx-blue",
                "stack ls",
                "stack inspect shop",
                "container ps",
                "service env ls db",
                "doctor",
                "exec shop-webx-green-r1-1 echo hello",
                "drain shop-webx-blue-r1-1",
                "ready shop-webx-blue-r1-1",
                "scale webx-blue 2",
                "service set --image app:3 webx-blue",
            ):
                ran = (
                    await house.cli(*words.split(), "--json")
                    if "exec" not in words
                    else (await house.cli("--json", *words.split()))
                )
                assert ran.code == 0, (words, ran)
                assert ran.json() is not None, words
            wanted = (await house.cli("inspect", "webx-blue", "--json")).json()["definition"]["image"]
            assert wanted == "app:3"
            logs = await house.cli("logs", "webx-green")
            assert "listens on" in logs.out

    asyncio.run(main())
