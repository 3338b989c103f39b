"""Deploys on Docker that cannot work, and people who change their minds: every one ends with a clear word,
the right exit code, and the live color untouched."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bluegreen.domain.policy import RolloutPolicy
from bluegreen.load import LoadProcess
from tests.e2e.test_no_request_fails import unharmed
from tests.support.docker_engine import DockerEngine
from tests.support.house import APP, House, managed
from tests.support.image_registry import serving
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.docker


@asynccontextmanager
async def live(engine: DockerEngine, **fields: Any) -> AsyncIterator[tuple[House, LoadProcess]]:
    """A service under load; at the end its users noticed nothing and release 1 is the only one."""
    async with House.standing("docker", engine.url) as house:
        await house.up(managed(house.port, **fields))
        async with house.users(slow_path="/slow?seconds=0.3") as load:
            yield house, load
            result = await load.stop()
        unharmed(result)
        assert set(result.versions) == {"0.0.1"}

        async def cleaned() -> bool:
            return {i["release"] for i in await house.get("/v1/instances")} == {1}

        # An abort does not wait for what it cut short: what Docker still starts then is removed at once.
        await until(cleaned, timeout=20.0)


def test_a_missing_image_is_named(stocked: DockerEngine) -> None:
    async def main() -> None:
        async with live(stocked) as (house, _):
            with serving() as registry:
                image = f"{registry.host}/shop/web:9"
                ran = await house.cli("deploy", "web", "--image", image)
            assert ran.code == 1, ran
            assert image in ran.err, ran
            assert "[image_missing]" in ran.err, ran

    asyncio.run(main())


def test_a_registry_that_cannot_be_reached_ends_the_deploy_in_time(stocked: DockerEngine) -> None:
    async def main() -> None:
        async with live(stocked) as (house, _):
            brief = RolloutPolicy(start_deadline=4.0, bake=60.0)
            await house.up(managed(house.port, rollout=brief))
            image = f"127.0.0.1:{free_port()}/shop/web:9"
            ran = await house.cli("deploy", "web", "--image", image)
            assert ran.code == 1, ran
            assert "trying again" in ran.err, ran
            assert "[registry_unreachable]" in ran.err, ran

    asyncio.run(main())


def test_a_command_that_the_image_lacks_is_named(stocked: DockerEngine) -> None:
    async def main() -> None:
        async with live(stocked) as (house, _):
            wrong = managed(house.port, command=("/srv/nothing", "--port"))
            answer = await house.request("PUT", "/v1/stacks/shop", _document(wrong))
            (began,) = answer.json()["rollouts"]
            ended = await house.final(began["id"])
            assert ended["phase"] == "aborted", ended
            assert ended["outcome"]["exit_code"] == 1
            assert ended["reason"]["code"] == "start_failed", ended["reason"]
            assert "/srv/nothing" in ended["reason"]["message"], ended["reason"]

    asyncio.run(main())


def _document(stack: object) -> object:
    from bluegreen.api.models import dump

    return dump(stack)


async def following(house: House, *words: str) -> asyncio.subprocess.Process:
    """Start a deploy and return once it tells that its rollout has begun."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bluegreen", "deploy", "web", *words),
        env=house.environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(20):
        assert b"deploy: release 2" in await process.stderr.readline()
    return process


async def outcome(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    async with asyncio.timeout(60):
        _, err = await process.communicate()
    return process.returncode, err.decode()


def test_a_second_deploy_is_refused_and_an_abort_ends_the_first(stocked: DockerEngine) -> None:
    async def main() -> None:
        async with live(stocked) as (house, _):
            first = await following(house, "--image", f"{APP}:0.0.2", "-e", "START_DELAY=60")
            second = await house.cli("deploy", "web", "--image", f"{APP}:0.0.2")
            assert second.code == 2, second
            assert "[rollout_in_progress]" in second.err
            (running,) = [r for r in await house.get("/v1/rollouts") if r["release"] == 2]
            aborted = await house.cli("abort", running["id"])
            assert aborted.code == 0, aborted
            code, err = await outcome(first)
            assert code == 1, err
            assert "aborted by hand" in err

    asyncio.run(main())


def test_ctrl_c_detaches_and_the_rollout_goes_on(stocked: DockerEngine) -> None:
    async def main() -> None:
        async with House.standing("docker", stocked.url) as house:
            await house.up(managed(house.port))
            async with house.users(slow_path="/slow?seconds=0.3") as load:
                deploy = await following(house, "--image", f"{APP}:0.0.2", "-e", "START_DELAY=4")
                deploy.send_signal(signal.SIGINT)
                code, err = await outcome(deploy)
                assert code == 130, err
                assert "goes on without you" in err

                async def live_now() -> bool:
                    return await house.version() == "0.0.2"

                await until(live_now, timeout=30.0)
                unharmed(await load.stop())

    asyncio.run(main())
