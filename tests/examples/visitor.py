"""Runs an example as its README says: the same commands, in its folder, on a port of its own."""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
from pathlib import Path

from tests.support.house import House, Ran

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
_SHOWN = re.compile(r"^\$ bluegreen (.+)$", re.MULTILINE)
_SHOWN_PORT = "18080"


class Visitor:
    """Somebody who tries ``examples/NAME`` in ``house``."""

    def __init__(self, house: House, name: str) -> None:
        self.house = house
        self.folder = EXAMPLES / name

    def shown(self) -> list[str]:
        """Return what the README types after ``$ bluegreen``, in order."""
        return _SHOWN.findall((self.folder / "README.md").read_text(encoding="utf-8"))

    async def type(self, words: str, **variables: str) -> Ran:
        """Run ``bluegreen WORDS`` in the example's folder."""
        arguments = shlex.split(words.replace(_SHOWN_PORT, str(self.house.port)))
        return await self.run_python("-m", "bluegreen", *arguments, **variables)

    async def run_python(self, *arguments: str, **variables: str) -> Ran:
        """Run ``python ARGUMENTS`` in the example's folder."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            cwd=self.folder,
            env={**self.house.environment, **variables},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())

    async def succeed(self, words: str, **variables: str) -> Ran:
        ran = await self.type(words, **variables)
        assert ran.code == 0, f"bluegreen {words}: {ran}\n--- controller\n{self.house.log()[-2000:]}"
        return ran
