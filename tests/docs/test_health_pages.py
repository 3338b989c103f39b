"""The pages on checks, draining, maintenance and locks: commands they show are run, stack files checked."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, commands
from tests.support.house import House, managed

HOWTO = ROOT / "docs" / "howto"
PAGES = ("health-checks.md", "draining.md", "maintenance.md", "lock.md")


@pytest.mark.parametrize("page", PAGES)
def test_what_it_shows_works(page: str, tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "closed.html").write_text("<h1>closed</h1>")
        async with House.standing() as house:
            await house.up(managed(house.port, replicas=2))
            for number, block in enumerate(blocks(HOWTO / page, "yaml")):
                file = tmp_path / f"stack{number}.yml"
                file.write_text(block)
                checked = await house.cli("check", str(file))
                assert checked.code == 0, checked
            for command in commands(HOWTO / page):
                words = shlex.split(command.words.replace("closed.html", str(tmp_path / "closed.html")))
                ran = await house.cli(*words[1:])
                assert ran.code == 0, f"{command}\n{ran}"

    asyncio.run(main())
