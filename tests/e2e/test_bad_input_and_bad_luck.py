"""What bad input and bad luck get: a clear message, a next step, the right exit code; and the live
color keeps all its traffic meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.e2e.test_no_request_fails import unharmed
from tests.support.house import House, managed
from tests.support.ports import free_port
from tests.support.waiting import until

BROKEN = """web:
  imagee: app:1
  mem_limit: 12q
  links: [dbb]
db:
  image: mongo
"""

STACK = """services:
  other:
    image: app:1
    x-bluegreen:
      route: {{port: {port}}}
      process: {{command: "{{python}} -m bluegreen.sample.app --port {{port}}"}}
"""


def test_a_broken_stack_file_names_every_fault_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "docker-cloud.yml"
    path.write_text(BROKEN)

    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port))
            async with house.users() as load:
                ran = await house.cli("up", "-f", str(path), "--yes")
                assert ran.code == 2, ran
                for place in ("docker-cloud.yml:2:3", "docker-cloud.yml:3:14", "docker-cloud.yml:4:11"):
                    assert place in ran.err, ran
                assert "did you mean 'image'?" in ran.err
                assert [s["name"] for s in await house.get("/v1/stacks")] == ["shop"]
                unharmed(await load.stop())

    asyncio.run(main())


def test_an_unknown_service_gets_a_did_you_mean() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port))
            ran = await house.cli("deploy", "wbe")
            assert ran.code == 2, ran
            assert "there is no service wbe" in ran.err
            assert "Did you mean web?" in ran.err

    asyncio.run(main())


def test_a_port_in_use_is_named_with_its_owner_before_anything_starts(tmp_path: Path) -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port))
            with socket.create_server(("0.0.0.0", 0)) as taken:
                port = taken.getsockname()[1]
                path = tmp_path / "compose.yml"
                path.write_text(STACK.format(port=port))
                async with house.users() as load:
                    ran = await house.cli("up", "-f", str(path), "-n", "second", "--yes")
                    assert ran.code == 2, ran
                    assert f"{port}" in ran.err
                    assert "--publish" in ran.err
                    assert "[port_taken]" in ran.err
                    assert [s["name"] for s in await house.get("/v1/stacks")] == ["shop"]
                    assert not [i for i in await house.get("/v1/instances") if i["stack"] == "second"]
                    elsewhere = f"{port}={free_port()}"
                    mapped = await house.cli(
                        "up", "-f", str(path), "-n", "second", "--yes", "--publish", elsewhere
                    )
                    assert mapped.code == 0, mapped
                    unharmed(await load.stop())

    asyncio.run(main())


def test_no_docker_says_where_it_looked(tmp_path: Path) -> None:
    async def main() -> None:
        house = House("docker", f"unix://{tmp_path}/no.sock")
        try:
            ran = await house.cli("serve")
            assert ran.code == 1, ran
            assert f"{tmp_path}/no.sock" in ran.err
            assert "[docker_unreachable]" in ran.err
        finally:
            await _tidy(house)

    asyncio.run(main())


def test_a_full_disk_refuses_the_deploy_and_leaves_the_traffic() -> None:
    async def main() -> None:
        async with House.standing() as house:
            with _small_disk(house) as filler:
                await house.start()
                await house.up(managed(house.port))
                async with house.users() as load:
                    filler()
                    ran = await house.cli("deploy", "web", "--image", "tactivos/devops-challenge:0.0.2")
                    assert ran.code == 1, ran
                    assert "disk" in ran.err, ran
                    assert await house.version() == "0.0.1"
                    (house.home / "ballast").unlink()
                    again = await house.cli("deploy", "web", "--image", "tactivos/devops-challenge:0.0.2")
                    assert again.code == 0, again
                    assert await house.version() == "0.0.2"
                    unharmed(await load.stop())
                await house.close()

    asyncio.run(main())


def test_a_corrupt_journal_is_named_with_the_way_out() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port))
            async with house.users() as load:
                house.kill()
                journal = house.home / "journal.sqlite"
                kept = journal.read_bytes()
                for path in house.home.glob("journal.sqlite*"):
                    path.unlink()
                journal.write_bytes(b"this is no database" * 500)
                ran = await house.cli("serve")
                assert ran.code == 1, ran
                assert str(journal) in ran.err
                assert "[journal_" in ran.err
                journal.write_bytes(kept)
                assert await house.version() == "0.0.1"
                unharmed(await load.stop())

    asyncio.run(main())


def test_a_lost_journal_costs_no_request_and_no_traffic() -> None:
    """What runs is taken over from its labels, and the next release follows as any other."""

    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port, replicas=2))
            await house.deploy("web", "0.0.2")
            async with house.users() as load:
                house.kill()
                for path in house.home.glob("journal.sqlite*"):
                    path.unlink()
                await house.start()
                assert await house.version() == "0.0.2"
                await house.up(managed(house.port, tag="0.0.3", replicas=2))
                assert await house.version() == "0.0.3"
                status = await house.get("/v1/status")
                assert status["services"][0]["live_release"] == 3
                unharmed(await load.stop())

    asyncio.run(main())


def test_a_locked_journal_delays_or_refuses_and_leaves_the_traffic() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(managed(house.port))
            async with house.users() as load:
                with contextlib.closing(sqlite3.connect(house.home / "journal.sqlite")) as other:
                    other.execute("BEGIN IMMEDIATE")
                    ran = await house.cli("deploy", "web", "--image", "tactivos/devops-challenge:0.0.2")
                    other.rollback()
                assert ran.code == 1, ran
                assert "Another process is writing" in ran.err, ran
                assert await house.version() == "0.0.1"
                again = await house.cli("deploy", "web", "--image", "tactivos/devops-challenge:0.0.2")
                assert again.code == 0, again
                unharmed(await load.stop())

    asyncio.run(main())


@contextlib.contextmanager
def _small_disk(house: House) -> Iterator[Callable[[], None]]:
    """Put a house on a file system of 8 MiB; yield what fills it to the last byte."""
    assert house.stop() == 0
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(house.home)], check=True)

    def fill() -> None:
        with contextlib.suppress(OSError), (house.home / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(b"x" * 4096)

    try:
        yield fill
    finally:
        subprocess.run(["umount", "-l", str(house.home)], check=True)


async def _tidy(house: House) -> None:
    await until(lambda: not house.processes(), timeout=10.0)
    shutil.rmtree(house.home)
