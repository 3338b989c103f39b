"""Operators' hands, by the command line, on a real controller under load: users notice what they are meant
to notice, and the journal knows who did what and why."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx

from tests.e2e.conftest import Build
from tests.e2e.sickness import FIRST, PAIR, SECOND, goes_on, happened, in_order, lives, seen, stands, told
from tests.e2e.test_no_request_fails import unharmed
from tests.support.house import House, Ran, managed
from tests.support.waiting import until


async def succeed(house: House, *words: str) -> Ran:
    ran = await house.cli(*words)
    assert ran.code == 0, ran
    return ran


def test_drained_for_a_while_and_forced_up(build: Build) -> None:
    async def main() -> None:
        async with build() as house:
            await house.up(managed(house.port, replicas=2))
            before = await lives(house)
            async with house.users(slow_path="/slow?seconds=0.3") as load:
                await succeed(house, "drain", SECOND)
                last = await house.cli("drain", FIRST)
                assert last.code == 2, last
                assert "last_instance" in last.err, last
                await succeed(house, "ready", SECOND)
                await stands(house, "in", *PAIR)

                await succeed(house, "drain", FIRST, "--why", "leaks", "--for", "2s")
                await until(lambda: happened(house, "instance.out"), timeout=5.0)
                await stands(house, "in", *PAIR)
                assert ("instance.out", f"{FIRST} is out of rotation: leaks") in await told(house, FIRST)

                await succeed(house, "force", "up", FIRST, "--why", "its check is wrong")
                await house.tell(FIRST, "fail-ping")
                await goes_on(load, 300)
                assert (await seen(house))[FIRST]["rotation"] == "in"
                assert "its check is wrong" in (await succeed(house, "ps")).out
                await succeed(house, "ready", FIRST)
                await stands(house, "out", FIRST, why="500")
                await house.tell(FIRST, "heal")
                await stands(house, "in", *PAIR)
                unharmed(await load.stop())
            assert await lives(house) == before
            kinds = [kind for kind, _ in await told(house, FIRST)]
            drained = ("override.set", "instance.out", "override.ended", "instance.in")
            in_order(kinds, *drained, "override.set", "override.ended", "instance.out", "instance.in")

    asyncio.run(main())


def test_a_restart_by_hand_loses_nothing_and_spares_the_last(build: Build) -> None:
    async def main() -> None:
        async with build() as house:
            await house.up(managed(house.port, replicas=2, stop_grace=2.0))
            before = await lives(house)
            async with house.users(slow_path="/slow?seconds=0.5") as load:
                await succeed(house, "drain", SECOND)
                last = await house.cli("restart", FIRST)
                assert last.code == 2, last
                assert "last_instance" in last.err, last
                await succeed(house, "ready", SECOND)
                await stands(house, "in", *PAIR)
                await succeed(house, "restart", FIRST, "--why", "leaks")

                async def anew() -> bool:
                    one = (await seen(house)).get(FIRST)
                    return one is not None and one["started_at"] > before[FIRST][0]

                await until(anew, timeout=30.0)
                await stands(house, "in", *PAIR)
                unharmed(await load.stop())  # POSTs too
            assert (await lives(house))[SECOND] == before[SECOND]
            steps = ("override.set", "instance.out", "instance.stopped", "instance.restarted", "instance.in")
            in_order([kind for kind, _ in await told(house, FIRST)], *steps)

    asyncio.run(main())


async def ask(house: House, method: str, path: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=False) as client:
        return await client.request(method, f"{house.url}{path}", timeout=5.0)


async def closed(house: House) -> None:
    """Require that users get the page, and a balancer in front that this one is well."""
    answer = await ask(house, "GET", "/")
    assert answer.status_code == 503, answer
    assert answer.headers["retry-after"] == "120"
    assert "back at ten" in answer.text
    assert "text/html" in answer.headers["content-type"]
    assert (await ask(house, "OPTIONS", "/ping")).status_code == 200


def test_maintenance_outlives_the_controller_and_a_deploy(build: Build, tmp_path: Path) -> None:
    page = tmp_path / "closed.html"
    page.write_text("<h1>We are back at ten</h1>")

    async def main() -> None:
        async with build() as house:
            await house.up(managed(house.port, replicas=2))
            close = ("on", "web", "--why", "new disks", "--page", str(page), "--retry-after", "2m")
            await succeed(house, "maintenance", *close)
            await closed(house)
            assert "maintenance: new disks" in (await succeed(house, "status")).out
            house.kill()
            await closed(house)
            await house.start()
            await closed(house)
            assert "maintenance: new disks" in (await succeed(house, "status")).out
            rollout = await house.deploy("web", "0.0.2")
            assert rollout["outcome"]["exit_code"] == 0, rollout
            await closed(house)
            await succeed(house, "maintenance", "off", "web")
            assert await house.version() == "0.0.2"
            async with house.users(slow_path="/slow?seconds=0.3") as load:
                await goes_on(load, 100)
                unharmed(await load.stop())
            assert "maintenance" not in (await succeed(house, "status")).out
            messages = [message for kind, message in await told(house) if kind == "stack.changed"]
            in_order(messages, "web is closed for maintenance: new disks", "web is open again")

    asyncio.run(main())
