"""The mission's stack file, unmodified, on a real Docker Engine: up, green → blue → green under load by
the commands that Docker Cloud's users know, every view of it, and nothing left at the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bluegreen.load import Edge
from tests.e2e.test_no_request_fails import unharmed
from tests.support.docker_engine import DockerEngine
from tests.support.house import House

pytestmark = pytest.mark.docker

STACK = Path(__file__).parents[2] / "examples" / "01-devops-challenge" / "stack.yml"
OURS = ("--filter", "label=bluegreen.stack=mission")


@asynccontextmanager
async def mission(engine: DockerEngine) -> AsyncIterator[House]:
    """The reference stack, brought up by the command line that also starts the controller."""
    house = House("docker", engine.url)
    try:
        began = await house.cli(
            *("up", "-f", str(STACK), "-n", "mission", "--publish", f"80={house.port}", "--yes")
        )
        assert began.code == 0, began
        assert f"lbx: webx-green on port {house.port}" in began.out
        yield house
    finally:
        await house.cli("down", "--stop-controller", "--yes")
        await house.close()


def test_green_blue_green_by_the_two_docker_cloud_commands(stocked: DockerEngine) -> None:
    async def main() -> None:
        async with mission(stocked) as house:
            assert await house.version() == "0.0.1"
            async with house.users() as load:
                await load.mark("to blue")
                linked = await house.cli("service", "set", "--link", "webx-blue:webx-blue", "lbx")
                assert linked.code == 0, linked
                assert await house.version() == "0.0.1"
                moved = await house.cli("service", "redeploy", "lbx")
                assert moved.code == 0, moved
                await load.mark("to blue", Edge.END)
                assert await house.version() == "0.0.2"
                await load.mark("to green")
                back = await house.cli("rollback", "lbx")
                assert back.code == 0, back
                await load.mark("to green", Edge.END)
                assert await house.version() == "0.0.1"
                result = await load.stop()
            unharmed(result)
            assert [(s.old, s.new) for s in result.switches] == [("0.0.1", "0.0.2"), ("0.0.2", "0.0.1")]
            gone = await house.cli("down", "--stop-controller", "--yes")
            assert gone.code == 0, gone
            assert house.processes() == []
            assert stocked.docker("ps", "--all", "--quiet", *OURS) == ""
            assert "mission" not in stocked.docker("network", "ls", "--format", "{{.Name}}")

    asyncio.run(main())


def test_links_resolve_and_every_view_tells_what_is(stocked: DockerEngine) -> None:
    async def main() -> None:
        async with mission(stocked) as house:
            _links_resolve(stocked)
            await _views(house, stocked)

    asyncio.run(main())


def _links_resolve(engine: DockerEngine) -> None:
    for container in ("mission-webx-green-r1-1", "mission-webx-blue-r1-1"):
        for name in ("db", "webx-green", "webx-blue"):
            found = engine.docker("exec", container, "python3", "-c", _ask(name))
            assert found.startswith(f"10.{engine.number}."), (container, name, found)
    assert engine.docker("exec", "mission-webx-green-r1-1", "python3", "-c", CONNECT) == "connected"


def _ask(name: str) -> str:
    return f"import socket; print(socket.gethostbyname('{name}'))"


CONNECT = "import socket; socket.create_connection(('db', 27017), 5); print('connected')"


async def _views(house: House, engine: DockerEngine) -> None:
    names = ["mission-db-r1-1", "mission-webx-blue-r1-1", "mission-webx-green-r1-1"]
    status = (await house.cli("status", "--json")).json()
    (route,) = status["routes"]
    assert (route["live"], route["port"], route["synchronized"]) == ("webx-green", house.port, True)
    assert {s["name"]: s["state"] for s in status["services"]} == dict.fromkeys(
        ("db", "webx-blue", "webx-green"), "Running"
    )
    listed = (await house.cli("ps", "--json")).json()
    assert sorted(i["name"] for i in listed) == names
    by_hand = engine.docker("ps", *OURS, "--format", "{{.Names}}").split()
    assert sorted(by_hand) == names
    assert {i["name"]: i["rotation"] for i in listed if "webx" in i["name"]} == {
        "mission-webx-blue-r1-1": "in",
        "mission-webx-green-r1-1": "in",
    }
    services = (await house.cli("service", "ps")).out
    assert all(name in services for name in ("db", "lbx", "webx-green", "webx-blue")), services
    one = (await house.cli("inspect", "mission-webx-green-r1-1", "--json")).json()
    address = json.loads(engine.docker("inspect", "mission-webx-green-r1-1"))[0]["NetworkSettings"]
    assert (one["host"], one["port"]) == (address["Networks"]["bluegreen_mission"]["IPAddress"], 3000)
    service = (await house.cli("inspect", "webx-blue", "--json")).json()
    assert service["definition"]["image"] == "tactivos/devops-challenge:0.0.2"
    history = (await house.cli("history", "--json")).json()
    assert {(r["service"], r["phase"]) for r in history} == {
        ("db", "done"),
        ("webx-blue", "done"),
        ("webx-green", "done"),
    }
    events = [json.loads(line) for line in (await house.cli("events", "--json")).out.splitlines()]
    assert any("mission is wanted" in e["message"] for e in events), events
    logs = await house.cli("logs", "webx-green")
    assert "listens on" in logs.out, logs
