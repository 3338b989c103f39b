"""Runs the command line as a user would, and shows what it prints while it prints it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bluegreen.demo.story import Story
from bluegreen.domain.errors import Permanent

PROGRAM = (sys.executable, "-m", "bluegreen")
_END_WITHIN = 5.0
_EVIDENCE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Where commands are typed. ``deadline`` (seconds) bounds each; ``program`` runs them."""

    story: Story
    environment: Mapping[str, str]
    folder: Path
    deadline: float = 60.0
    program: Sequence[str] = PROGRAM

    async def type(self, *words: str) -> tuple[float, float]:
        """Run ``bluegreen WORDS``; return when it began and ended (monotonic seconds).

        Raises ``Permanent`` (``demo_command_failed``) with its output unless it exits with 0.
        """
        self.story.typed(("bluegreen", *words))
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *self.program,
            *words,
            cwd=self.folder,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # Ctrl-C is the demo's to handle: it ends what it started in its own order.
            start_new_session=True,
        )
        lines: list[str] = []
        try:
            async with asyncio.timeout(self.deadline):
                await self._show(process, lines)
                code = await process.wait()
        except TimeoutError as error:
            raise _failed(words, f"did not end within {self.deadline:g} s", lines) from error
        finally:
            await _end(process)
        if code != 0:
            raise _failed(words, f"ended with exit code {code}", lines)
        return began, time.monotonic()

    async def _show(self, process: asyncio.subprocess.Process, lines: list[str]) -> None:
        assert process.stdout is not None
        async for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip("\r\n")
            lines.append(line)
            self.story.output(line)


def _failed(words: Sequence[str], how: str, lines: Sequence[str]) -> Permanent:
    return Permanent(
        f"`bluegreen {' '.join(words)}` {how}",
        code="demo_command_failed",
        evidence=tuple(("it said", line) for line in lines[-_EVIDENCE:] if line.strip()),
        hint="Mend what it names, then run the demo again; nothing was left behind.",
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    with suppress(TimeoutError):
        async with asyncio.timeout(_END_WITHIN):
            await process.wait()
            return
    process.kill()
    await process.wait()
