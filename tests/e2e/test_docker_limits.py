"""Limits from the stack file to the kernel of a container, by the command line: read back at every place,
refused before anything starts when they cannot be met, named when a release needs more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.test_no_request_fails import unharmed
from tests.support.docker_engine import DockerEngine
from tests.support.house import House

pytestmark = pytest.mark.docker

DOCKER_CLOUD = """
lb:
  image: 'dockercloud/haproxy'
  links: [web]
  ports: ['80:80']
  environment: ['HTTP_CHECK=OPTIONS /ping', 'HEALTH_CHECK=check inter 500 rise 1 fall 2']
web:
  image: 'tactivos/devops-challenge:0.0.1'
  {limits}
"""

COMPOSE = """
services:
  web:
    image: tactivos/devops-challenge:0.0.1
    expose: ['3000']
    restart: always
    deploy: {{resources: {{limits: {{cpus: '0.5', memory: 96M, pids: 40}}, reservations: {{memory: 48M}}}}}}
    x-bluegreen: {{route: {{port: 80}}, check: OPTIONS /ping}}
"""

IN_FILE = "cpu_shares: 256\n  cpuset: '0'\n  mem_limit: 96m\n  memswap_limit: 128m"
MEGABYTE = 1 << 20


async def up(house: House, stack: str, limits: str = "restart: always") -> tuple[int, str]:
    file = house.home / "stack.yml"
    file.write_text(stack.format(limits=limits))
    ran = await house.cli("up", "-f", str(file), "-n", "small", "--publish", f"80={house.port}", "--yes")
    return ran.code, ran.out + ran.err


@asynccontextmanager
async def house_of(engine: DockerEngine) -> AsyncIterator[House]:
    async with House.standing("docker", engine.url) as house:
        yield house


def host_config(engine: DockerEngine, name: str) -> dict[str, object]:
    config: dict[str, object] = json.loads(engine.docker("inspect", name))[0]["HostConfig"]
    return config


def cgroup(engine: DockerEngine, name: str, file: str) -> int | str:
    """Return what the kernel holds for a container: the last word on its limits."""
    id = engine.docker("inspect", "--format", "{{.Id}}", name)
    (found,) = Path("/sys/fs/cgroup").glob(f"*/{engine.bridge}/{id}/{file}")
    text = found.read_text().strip()
    return int(text) if text.isdecimal() and file != "cpuset.cpus" else text


def test_docker_clouds_limits_reach_the_kernel(stocked: DockerEngine) -> None:
    async def main() -> None:
        async with house_of(stocked) as house:
            code, told = await up(house, DOCKER_CLOUD, IN_FILE)
            assert code == 0, told
            name = "small-web-r1-1"
            config = host_config(stocked, name)
            assert [config[k] for k in ("CpuShares", "CpusetCpus", "Memory", "MemorySwap")] == [
                *(256, "0", 96 * MEGABYTE, 128 * MEGABYTE)
            ]
            assert cgroup(stocked, name, "cpu.shares") == 256
            assert cgroup(stocked, name, "cpuset.cpus") == "0"
            assert cgroup(stocked, name, "memory.limit_in_bytes") == 96 * MEGABYTE
            assert cgroup(stocked, name, "memory.memsw.limit_in_bytes") == 128 * MEGABYTE
            limits = (await house.cli("inspect", "web", "--json")).json()["definition"]["limits"]
            assert (limits["cpu_shares"], limits["cpuset"]) == (256, "0")
            assert (limits["mem_limit"], limits["memswap_limit"]) == (96 * MEGABYTE, 128 * MEGABYTE)

    asyncio.run(main())


def test_composes_limits_reach_the_kernel(stocked: DockerEngine) -> None:
    async def main() -> None:
        async with house_of(stocked) as house:
            code, told = await up(house, COMPOSE)
            assert code == 0, told
            name = "small-web-r1-1"
            config = host_config(stocked, name)
            assert (config["NanoCpus"], config["PidsLimit"]) == (500_000_000, 40)
            assert cgroup(stocked, name, "cpu.cfs_quota_us") == 50_000
            assert cgroup(stocked, name, "memory.limit_in_bytes") == 96 * MEGABYTE
            assert cgroup(stocked, name, "memory.soft_limit_in_bytes") == 48 * MEGABYTE
            assert cgroup(stocked, name, "pids.max") == 40

    asyncio.run(main())


IMPOSSIBLE = {
    "a CPU that is not there": ("cpuset: '0,999'", "cpuset", "this host has the CPUs"),
    "more memory than there is": ("mem_limit: 100000g", "mem_limit", "this host has"),
    "less swap than memory": (
        "mem_limit: 96m\n  memswap_limit: 64m",
        "memswap_limit",
        "counts memory plus swap",
    ),
    "less than Docker accepts": ("mem_limit: 1m", "mem_limit", "smallest that Docker accepts"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_impossible_limits_are_refused_before_anything_starts(case: str, stocked: DockerEngine) -> None:
    limits, named, why = IMPOSSIBLE[case]

    async def main() -> None:
        async with house_of(stocked) as house:
            code, told = await up(house, DOCKER_CLOUD)
            assert code == 0, told
            async with house.users(slow_path="/slow?seconds=0.3") as load:
                code, told = await up(house, DOCKER_CLOUD, limits)
                assert code in (1, 2), told
                assert named in told, told
                assert why in told, told
                assert "Traceback" not in told
                names = stocked.docker(
                    "ps", "--all", "--filter", "label=bluegreen.stack=small", "--format", "{{.Names}}"
                )
                assert names == "small-web-r1-1"
                result = await load.stop()
            unharmed(result)
            assert set(result.versions) == {"0.0.1"}

    asyncio.run(main())


def test_a_release_that_needs_more_than_its_limit_is_named_and_ended(stocked: DockerEngine) -> None:
    async def main() -> None:
        async with house_of(stocked) as house:
            code, told = await up(
                house, DOCKER_CLOUD, "restart: always\n  mem_limit: 64m\n  memswap_limit: 64m"
            )
            assert code == 0, told
            async with house.users(slow_path="/slow?seconds=0.3") as load:
                ran = await house.cli("deploy", "web", "-e", "ALLOCATE=200")
                assert ran.code == 1, ran
                assert "more memory than its limit" in ran.err, ran
                assert "mem_limit" in ran.err, ran
                (failed, *_) = (await house.cli("history", "web", "--json")).json()
                assert (failed["phase"], failed["reason"]["code"]) == ("aborted", "out_of_memory")
                result = await load.stop()
            unharmed(result)
            assert set(result.versions) == {"0.0.1"}
            assert {i["release"] for i in await house.get("/v1/instances")} == {1}

    asyncio.run(main())
