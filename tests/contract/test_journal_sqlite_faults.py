"""The SQLite journal in bad luck: killed, locked out, on a full disk, forbidden.

Everything here is real: files, processes, file systems. Needs root for the mounts, as the whole
suite does.
"""

from __future__ import annotations

import asyncio
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from bluegreen.domain.errors import Bug, Temporary
from bluegreen.drivers.journal.sqlite import SqliteJournal
from bluegreen.ports.journal import Memory, Query, SaveStack
from bluegreen.testing.journal_contract.stage import a_stack, an_event, caught
from bluegreen.testing.waiting import until
from tests.support.journal_file import WRITER, fill, mounted, process, refused, use

LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


# -- killed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("records", [1, 7, 40])
def test_what_was_acknowledged_survives_a_kill(path: Path, records: int) -> None:
    acknowledged = 0
    for _ in range(3):
        with process(WRITER, path) as writer:
            assert writer.stdout is not None
            for _ in range(records):
                acknowledged = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            acknowledged = int([str(acknowledged), *writer.stdout.read().split()][-1])

    async def scenario(journal: SqliteJournal) -> None:
        (stack,) = (await journal.load()).stacks
        messages = [event.message for event in await journal.events(Query(limit=10_000))]
        assert stack.generation in (acknowledged, acknowledged + 1)
        assert messages == [str(number + 1) for number in range(stack.generation)]

    use(path, scenario)


def test_two_controllers_may_create_it_at_the_same_time(path: Path) -> None:
    with process(WRITER, path) as one, process(WRITER, path) as other:
        for writer in (one, other):
            assert writer.stdout is not None
        first = [one.stdout.readline(), other.stdout.readline()]  # type: ignore[union-attr]
    assert "1\n" in first


# -- locked ------------------------------------------------------------------------------------


def test_a_lock_of_another_process_is_waited_for_in_vain_and_reported(path: Path) -> None:
    fill(path)

    async def scenario(journal: SqliteJournal) -> None:
        with process(LOCKER, path) as locker:
            assert locker.stdout is not None
            locker.stdout.readline()
            error = await caught(journal.record([SaveStack(a_stack(2))]))
            assert isinstance(error, Temporary)
            assert error.code == "journal_locked"
            assert str(path) in error.message
            assert (await journal.load()).stacks == (a_stack(1),)
        await journal.record([SaveStack(a_stack(2))])

    use(path, scenario)


def test_a_lock_on_a_file_that_is_not_a_journal_yet_is_reported(path: Path) -> None:
    with process(LOCKER, path) as locker:
        assert locker.stdout is not None
        locker.stdout.readline()
        assert refused(path).code == "journal_locked"
    fill(path)


def test_a_name_that_cannot_be_stored_is_refused_whole(path: Path) -> None:
    async def scenario(journal: SqliteJournal) -> None:
        error = await caught(journal.record([SaveStack(a_stack(1)), SaveStack(a_stack(1, "\udc80"))]))
        assert isinstance(error, Bug)
        assert error.code == "journal_refused"
        assert await journal.load() == Memory()

    use(path, scenario)


def test_a_lock_that_ends_in_time_is_only_a_delay(path: Path) -> None:
    fill(path)

    async def scenario(journal: SqliteJournal) -> None:
        with process(LOCKER, path) as locker:
            assert locker.stdout is not None
            assert locker.stdin is not None
            locker.stdout.readline()
            async with asyncio.TaskGroup() as group:
                record = group.create_task(journal.record([SaveStack(a_stack(2))]))
                locker.stdin.close()
        assert await record == ()

    use(path, scenario, lock_timeout=20)


def test_a_lock_does_not_stop_the_event_loop(path: Path) -> None:
    fill(path)

    async def scenario(journal: SqliteJournal) -> None:
        with process(LOCKER, path) as locker:
            assert locker.stdout is not None
            locker.stdout.readline()
            turns = 0

            async def turn() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            async with asyncio.TaskGroup() as group:
                spinning = group.create_task(turn())
                error = await caught(journal.record([SaveStack(a_stack(2))]))
                spinning.cancel()
            assert error is not None
            assert turns > 100

    use(path, scenario, lock_timeout=0.2)


def test_a_call_that_takes_too_long_is_unknown_and_those_behind_it_did_not_happen(path: Path) -> None:
    fill(path)

    async def scenario(journal: SqliteJournal) -> None:
        with process(LOCKER, path) as locker:
            assert locker.stdout is not None
            locker.stdout.readline()
            changes = [SaveStack(a_stack(2))]
            first, second = await asyncio.gather(
                caught(journal.record(changes)), caught(journal.record(changes))
            )
        assert (first and first.group, second and second.group) == ("unknown", "temporary")
        assert {first and first.code, second and second.code} == {"journal_slow"}
        # The call that had begun goes on; what it did is seen by looking.
        await until(lambda: _has_generation(journal, 2))

    use(path, scenario, lock_timeout=20, deadline=1)


async def _has_generation(journal: SqliteJournal, generation: int) -> bool:
    return (await journal.load()).stacks[0].generation == generation


# -- no room, no right -------------------------------------------------------------------------


def test_a_full_disk_loses_nothing_and_heals(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    path, ballast = folder / "journal.db", folder / "ballast"

    async def scenario(journal: SqliteJournal) -> None:
        await journal.record([SaveStack(a_stack(1))])
        _fill_up(ballast)
        generation, error = 1, None
        while error is None:
            generation += 1
            error = await caught(
                journal.record([SaveStack(a_stack(generation))], [an_event("x" * 5000)] * 20)
            )
        assert isinstance(error, Temporary)
        assert error.code == "disk_full"
        assert (await journal.load()).stacks == (a_stack(generation - 1),)
        ballast.unlink()
        await journal.record([SaveStack(a_stack(generation))])
        assert (await journal.load()).stacks == (a_stack(generation),)

    with mounted(folder, "size=4m"):
        use(path, scenario)


def test_a_disk_too_full_to_open_it_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    with mounted(folder, "size=1m"):
        _fill_up(folder / "ballast")
        assert refused(folder / "journal.db").code == "disk_full"


def _fill_up(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return


def test_a_read_only_folder_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "frozen"
    with mounted(folder, "size=1m"):
        fill(folder / "journal.db", events=1)
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        assert refused(folder / "journal.db").code == "journal_forbidden"
        assert refused(folder / "other.db").code == "journal_forbidden"


def test_a_path_that_is_no_file_is_reported(tmp_path: Path) -> None:
    assert refused(tmp_path).code == "journal_forbidden"
    (tmp_path / "file").touch()
    assert refused(tmp_path / "file" / "journal.db").code == "journal_forbidden"


def test_missing_folders_are_made_and_only_the_owner_may_read(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "journal.db"

    async def scenario(journal: SqliteJournal) -> None:
        await journal.record([SaveStack(a_stack())])
        for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
            assert stat.S_IMODE((path.parent / name).stat().st_mode) == 0o600, name

    use(path, scenario)
