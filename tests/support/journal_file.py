"""A journal in a real file, and the processes and file systems that give it a hard time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bluegreen.domain.errors import BluegreenError
from bluegreen.drivers.journal.sqlite import Options, SqliteJournal, open_journal
from bluegreen.ports.journal import AddRelease, SaveStack
from bluegreen.testing.journal_contract.stage import a_release, a_stack, an_event

WRITER = """
import asyncio, sys
from pathlib import Path
from bluegreen.drivers.journal.sqlite import Options, open_journal
from bluegreen.ports.journal import SaveStack
from bluegreen.testing.journal_contract.stage import a_stack, an_event

async def main():
    async with open_journal(Options(path=Path(sys.argv[1]))) as journal:
        stacks = (await journal.load()).stacks
        generation = stacks[0].generation if stacks else 0
        while True:
            generation += 1
            await journal.record([SaveStack(a_stack(generation))], [an_event(str(generation))])
            print(generation, flush=True)

asyncio.run(main())
"""


def use(path: Path, scenario: Callable[[SqliteJournal], Awaitable[None]], **options: object) -> None:
    """Run ``scenario`` on the journal at ``path``."""

    async def main() -> None:
        settings = Options.model_validate({"path": path, "lock_timeout": 0.05, **options})
        async with asyncio.timeout(60), open_journal(settings) as journal:
            await scenario(journal)

    asyncio.run(main())


def refused(path: Path) -> BluegreenError:
    """Return the error with which the journal does not open."""

    async def nothing(journal: SqliteJournal) -> None:
        await journal.load()

    with pytest.raises(BluegreenError) as caught:
        use(path, nothing)
    error = caught.value
    assert str(path) in error.message
    assert error.hint
    assert error.evidence
    return error


def fill(path: Path, events: int = 50) -> None:
    async def scenario(journal: SqliteJournal) -> None:
        await journal.record([SaveStack(a_stack()), AddRelease(a_release())], [an_event()] * events)

    use(path, scenario)


@contextmanager
def process(script: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run ``script`` with ``path`` as its argument; it is dead when the context ends."""
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)
