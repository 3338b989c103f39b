"""What the command line says and does when things go wrong under its hands. Real controller, real load."""

from __future__ import annotations

import asyncio
import signal
import sys

from tests.support.house import House, managed, two_colors
from tests.support.waiting import until


async def _follower(house: House, *words: str) -> asyncio.subprocess.Process:
    """Start a command and return once it tells that its rollout has begun."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bluegreen",
        *words,
        env=house.environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(20):
        first = await process.stderr.readline()
    assert b"deploy: release 2" in first, first
    return process


async def _ended(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def test_a_release_that_never_gets_well_shows_its_last_words() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port))
            async with house.users() as load:
                ran = await house.cli(
                    "deploy", "web", "-e", "FAIL_PING=500", "-e", "EXIT_AFTER=1", "-e", "EXIT_CODE=7"
                )
                assert ran.code == 1, ran
                assert "error: web: failed before any traffic moved" in ran.err
                assert "listens on" in ran.err, "the last log lines of the release"
                assert ran.out == ""
                result = await load.stop()
                assert result.failed == 0, result.failures_by_class
            assert await house.version() == "0.0.1"

    asyncio.run(main())


def test_the_controller_dies_in_the_middle_and_comes_back() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port))
            async with house.users() as load:
                process = await _follower(house, "deploy", "web", "-e", "START_DELAY=2")
                house.kill()
                await house.start()
                code, out, err = await _ended(process)
                assert code == 0, (out, err)
                assert "traffic is not affected" in err
                assert "the controller is back" in err
                assert "web.green has all the traffic" in out
                result = await load.stop()
                assert result.failed == 0, result.failures_by_class

    asyncio.run(main())


def test_the_controller_dies_and_stays_away() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port))
            process = await _follower(house, "deploy", "web", "-e", "START_DELAY=5")
            house.kill()
            code, _, err = await _ended(process)
            assert code == 1
            assert "[controller_lost]" in err
            assert "bluegreen status --watch" in err
            assert await house.version() == "0.0.1"

    asyncio.run(main())


def test_ctrl_c_detaches_and_the_rollout_goes_on() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port))
            process = await _follower(house, "deploy", "web", "-e", "START_DELAY=4")
            process.send_signal(signal.SIGINT)
            code, _, err = await _ended(process)
            assert code == 130, err
            assert "goes on without you" in err

            async def live() -> bool:
                (service,) = (await house.get("/v1/status"))["services"]
                return bool(service["live_release"] == 2)

            await until(live, timeout=30)

    asyncio.run(main())


def test_ctrl_c_with_abort_on_interrupt_ends_the_rollout() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port))
            process = await _follower(house, "deploy", "web", "-e", "START_DELAY=9", "--abort-on-interrupt")
            process.send_signal(signal.SIGINT)
            code, _, err = await _ended(process)
            assert code == 130, err
            (rollout,) = [r for r in await house.get("/v1/rollouts") if r["release"] == 2]
            ended = await house.final(rollout["id"])
            assert ended["phase"] == "aborted"
            assert await house.version() == "0.0.1"

    asyncio.run(main())


def test_a_second_deploy_says_who_is_first() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port))
            process = await _follower(house, "deploy", "web", "-e", "START_DELAY=60")
            second = await house.cli("deploy", "web")
            assert second.code == 2, second
            assert "[rollout_in_progress]" in second.err
            assert "bluegreen abort" in second.err
            (running,) = [r for r in await house.get("/v1/rollouts") if r["release"] == 2]
            assert (await house.cli("abort", running["id"])).code == 0
            code, _, err = await _ended(process)
            assert (code, "aborted by hand" in err) == (1, True), err

    asyncio.run(main())


def test_a_switch_to_a_dead_color_is_refused_and_nothing_moves() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(two_colors(house.port))
            assert (await house.cli("service", "stop", "webx-blue")).code == 0
            ran = await house.cli("switch", "lbx", "webx-blue")
            assert ran.code == 2, ran
            assert "[target_absent]" in ran.err
            assert "bluegreen service start webx-blue" in ran.err
            assert await house.version() == "0.0.1"

    asyncio.run(main())
