"""NGINX in a container: Docker brings it back as it was, and it is found, adopted and removed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bluegreen.domain.errors import BluegreenError
from bluegreen.domain.routing import Routing
from bluegreen.drivers.balancers.nginx import Options, open_balancer
from bluegreen.drivers.balancers.nginx.container import container_name
from bluegreen.testing.balancer_stage import BLUE, GREEN, WEB, answers, live, until
from tests.support import images
from tests.support.docker_engine import DockerEngine
from tests.support.haproxy_stage import Way
from tests.support.nginx_stage import NginxStage, nginx_stage

pytestmark = pytest.mark.docker


def play(way: Way, scenario: Callable[[NginxStage], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(100), nginx_stage(way) as stage:
            await scenario(stage)

    asyncio.run(main())


def inspect(engine: DockerEngine, stage: NginxStage) -> Any:
    """Return what Docker knows of the stage's container, ``None`` if there is none."""
    name = container_name(stage.folder / "state")
    found = json.loads(engine.docker("inspect", name, check=False) or "[]")
    return found[0] if found else None


async def refusal(folder: Path, **options: Any) -> BluegreenError:
    with pytest.raises(BluegreenError) as seen:
        async with open_balancer(Options(state_dir=folder, **options)) as balancer:
            await balancer.apply(Routing())
    return seen.value


def test_without_a_controller_it_comes_back_and_is_adopted(
    nginx_container: Way, docker_engine: DockerEngine
) -> None:
    async def scenario(stage: NginxStage) -> None:
        routing = await live(stage, GREEN)
        switched = routing.with_weights(WEB, {BLUE: 100})
        await stage.balancer.apply(switched)
        found = inspect(docker_engine, stage)
        assert found["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
        assert found["HostConfig"]["NetworkMode"] == "host"
        assert found["Config"]["Labels"]["bluegreen.balancer"] == "nginx"
        assert found["State"]["Pid"] == stage.found().master, "a process of the box"
        await stage.kill()  # nobody supervises: this is Docker's doing
        await until(answers(stage, routing, BLUE), "it serves again, by the weights of the last switch")
        reopened = await stage.reopen()
        before = stage.found().all
        await reopened.apply(switched)
        assert stage.found().all == before, "adopted as it is"
        assert dict((await reopened.observe([])).weights) == {WEB: {BLUE: 100}}

    play(nginx_container, scenario)


def test_a_container_that_was_removed_is_made_anew_and_stop_leaves_none(
    nginx_container: Way, docker_engine: DockerEngine
) -> None:
    async def scenario(stage: NginxStage) -> None:
        routing = await live(stage, GREEN)
        name = container_name(stage.folder / "state")
        watch = asyncio.create_task(stage.balancer.supervise())
        await asyncio.to_thread(docker_engine.docker, "rm", "-f", name)
        await until(answers(stage, routing, GREEN), "it serves again")
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        refused = await refusal(stage.folder / "state")
        assert refused.code == "bad_setting", "a controller set to a process does not fight with Docker"
        assert name in refused.hint
        await stage.balancer.stop()
        assert inspect(docker_engine, stage) is None
        assert docker_engine.docker("ps", "--all", "--quiet", "--filter", f"name={name}") == ""
        assert not stage.found().all

    play(nginx_container, scenario)


def test_images_that_do_not_fit_are_told(docker_engine: DockerEngine, tmp_path: Path) -> None:
    way = {"run": "container", "docker_url": docker_engine.url}
    missing = asyncio.run(refusal(tmp_path, **way, image="nginx:none-such"))
    assert missing.code == "image_missing"
    assert "docker pull nginx:none-such" in missing.hint
    unfit = asyncio.run(refusal(tmp_path, **way, image=images.BASE))
    assert unfit.code == "nginx_missing"
    elsewhere = asyncio.run(refusal(tmp_path, run="container", docker_url="tcp://192.0.2.1:2375"))
    assert elsewhere.code == "bad_setting"
