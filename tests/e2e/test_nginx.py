"""The controller on NGINX: it switches, deploys and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.house import House, managed, two_colors
from tests.support.nginx_stage import strangers


class NginxHouse(House):
    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"BLUEGREEN_BALANCER": "nginx"}


@pytest.mark.together(runtime="process", balancer="nginx", registry="none")
def test_a_switch_and_a_deploy_behind_nginx() -> None:
    async def main() -> None:
        async with NginxHouse.standing() as house:
            await house.up(two_colors(house.port))
            async with house.users() as load:
                rollout = await house.switch("lbx", "webx-blue")
                assert rollout["outcome"]["exit_code"] == 0, rollout
                assert await house.version() == "0.0.2"
                result = await load.stop()
            assert result.failed == 0, (result.failures_by_class, result.first_failures)

    asyncio.run(main())


def test_a_release_behind_nginx_survives_the_controller() -> None:
    async def main() -> None:
        async with NginxHouse.standing() as house:
            await house.up(managed(house.port, replicas=2))
            async with house.users() as load:
                rollout = await house.deploy("web", "0.0.2")
                assert rollout["outcome"]["exit_code"] == 0, rollout
                house.kill()
                await house.start()
                assert await house.version() == "0.0.2"
                result = await load.stop()
            assert result.failed == 0, (result.failures_by_class, result.first_failures)

    asyncio.run(main())


def test_a_switch_behind_somebody_elses_nginx() -> None:
    async def main() -> None:
        # Not pytest's folder, which is closed to the user that workers run as.
        with TemporaryDirectory(prefix="bg-") as folder:
            async with strangers(Path(folder)) as stranger:
                await switch(stranger.options)

    async def switch(options: Mapping[str, Path]) -> None:
        files = {f"nginx_{name}": str(path) for name, path in options.items()}
        async with NginxHouse.standing(nginx_run="existing", **files) as house:
            await house.up(two_colors(house.port))
            async with house.users() as load:
                rollout = await house.switch("lbx", "webx-blue")
                assert rollout["outcome"]["exit_code"] == 0, rollout
                assert await house.version() == "0.0.2"
                result = await load.stop()
            assert result.failed == 0, (result.failures_by_class, result.first_failures)
            assert (options["include_dir"] / "live" / "http.conf").exists()
            assert not (house.home / "nginx" / "nginx.conf").exists()

    asyncio.run(main())
