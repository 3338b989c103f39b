"""Each example does what it promises, for real, on the process runtime."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.examples.visitor import EXAMPLES, Visitor
from tests.support.house import House
from tests.support.waiting import until

PACKAGES = {"07-a-driver-of-your-own"}
"""Examples that are installed, not run: each has a file of tests beside this one."""


def test_every_example_is_tried() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    tried = {name for test in _TESTS for name in folders if name[:2] == test.__name__[5:7]}
    assert len(folders) >= 6
    assert sorted(folders - tried - PACKAGES) == []
    modules = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")}
    assert {name[3:].replace("-", "_") for name in PACKAGES} <= modules
    assert [name for name in sorted(folders) if not (EXAMPLES / name / "README.md").is_file()] == []


def test_01_two_commands_move_the_traffic() -> None:
    async def main() -> None:
        async with House.standing() as house:
            visitor = Visitor(house, "01-devops-challenge")
            await visitor.succeed("check stack.yml")
            await visitor.succeed("up -f stack.process.yml -n challenge --publish 80=18080")
            assert await house.version() == "0.0.1"
            await visitor.succeed("service set --link webx-blue:webx-blue lbx")
            assert await house.version() == "0.0.1"
            await visitor.succeed("service redeploy lbx")
            assert await house.version() == "0.0.2"
            await visitor.succeed("rollback webx-blue")
            assert await house.version() == "0.0.1"
            await visitor.succeed("down --yes")

    asyncio.run(main())


def test_02_a_changed_file_is_a_release() -> None:
    async def main() -> None:
        async with House.standing() as house:
            visitor = Visitor(house, "02-compose")
            up = f"up -f compose.yml --publish 8080={house.port}"
            await visitor.succeed("check compose.yml")
            await visitor.succeed(up)
            assert await house.version() == "0.0.1"
            await visitor.succeed(up, WEB_VERSION="0.0.2")
            assert await house.version() == "0.0.2"
            await visitor.succeed("rollback web")
            assert await house.version() == "0.0.1"
            await visitor.succeed("down --yes")

    asyncio.run(main())


def test_03_traffic_moves_in_steps() -> None:
    async def main() -> None:
        async with House.standing() as house:
            up, deploy, down = (visitor := Visitor(house, "03-canary")).shown()
            await visitor.succeed(up)
            ran = await visitor.succeed(deploy)
            assert ran.err.count("held at its share") == 2, ran
            assert await house.version() == "0.0.2"
            await visitor.succeed(down)

    asyncio.run(main())


def test_04_a_link_and_limits_arrive() -> None:
    async def main() -> None:
        async with House.standing() as house:
            up, execute, inspect, down = (visitor := Visitor(house, "04-limits-and-links")).shown()
            await visitor.succeed(up)
            environment = (await visitor.succeed(execute)).out.splitlines()
            assert "DATABASE_HOST=127.0.0.1" in environment
            where = await visitor.succeed("exec linked-web-r1-1 sh -c 'sleep 0.2; cat /proc/self/cgroup'")
            assert "linked-web-r1-1" in where.out, where
            await visitor.succeed(inspect)
            await visitor.succeed(down)

    asyncio.run(main())


def test_05_a_bad_release_is_refused_with_evidence() -> None:
    async def main() -> None:
        async with House.standing() as house:
            up, deploy, history, down = (visitor := Visitor(house, "05-bad-release")).shown()
            await visitor.succeed(up)
            refused = await visitor.type(deploy)
            assert refused.code == 1, f"{refused}\n--- controller\n{house.log()[-2000:]}"
            for words in ("never_healthy", "status 500", "no traffic had moved", "listens on"):
                assert words in refused.err, refused
            assert await house.version() == "0.0.1"
            assert "aborted" in (await visitor.succeed(history)).out
            await visitor.succeed(down)

    asyncio.run(main())


def test_06_who_is_sick_gets_no_requests(tmp_path: Path) -> None:
    async def main() -> None:
        async with House.standing() as house:
            words = (visitor := Visitor(house, "06-health")).shown()
            check, up, touch, ps, rm, deploy, down = (w.replace("/tmp", str(tmp_path)) for w in words)

            async def standing(wanted: str, why: str = "") -> bool:
                listed = await visitor.succeed(f"{ps} --json")
                first = next(i for i in json.loads(listed.out) if i["name"] == "health-web-r1-1")
                assert first["restarts"] == 0, first
                return bool(first["rotation"] == wanted and why in first["why"])

            await visitor.succeed(check)
            await visitor.succeed(up, SICK_FOLDER=str(tmp_path))
            await visitor.succeed(touch)
            await until(lambda: standing("out", "500"), timeout=20.0)
            assert [await house.version() for _ in range(4)] == ["0.0.1"] * 4
            await visitor.succeed(rm)
            await until(lambda: standing("in"), timeout=20.0)
            await visitor.succeed(deploy)
            assert await house.version() == "0.0.2"
            await visitor.succeed(down)

    asyncio.run(main())


def test_08_a_program_releases_and_goes_back() -> None:
    async def main() -> None:
        async with House.standing() as house:
            visitor = Visitor(house, "08-python-client")
            ran = await visitor.run_python("release.py", "tactivos/devops-challenge:0.0.2", str(house.port))
            assert ran.code == 0, f"{ran}\n--- controller\n{house.log()[-2000:]}"
            lines = ran.out.splitlines()
            assert [line for line in lines if not line.startswith(" ")] == [
                "up: promoted",
                "promoted",
                "live: green release 2",
                "back: reverted",
            ]
            assert any("web.green has all the traffic" in line for line in lines), ran
            assert await house.get("/v1/stacks") == []

    asyncio.run(main())


_TESTS = (
    test_01_two_commands_move_the_traffic,
    test_02_a_changed_file_is_a_release,
    test_03_traffic_moves_in_steps,
    test_04_a_link_and_limits_arrive,
    test_05_a_bad_release_is_refused_with_evidence,
    test_06_who_is_sick_gets_no_requests,
    test_08_a_program_releases_and_goes_back,
)
