"""The SQLite journal in bad luck: killed, locked out, damaged, full, forbidden, foreign, too new.

Everything here is real: files, processes, file systems. Needs root for the mounts, as the whole
suite does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sized
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary
from bluegreen.drivers.journal.sqlite import Options, SqliteJournal, open_journal
from bluegreen.ports.journal import AddRelease, Memory, Query, SaveStack
from bluegreen.testing.journal_contract.stage import a_release, a_stack, an_event, caught
from bluegreen.testing.waiting import until

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


# -- damaged -----------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"not a database\n" * 1000, b"SQLite format 3\0" + b"\xff" * 8000])
def test_garbage_is_reported_with_the_way_out(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    error = refused(path)
    assert isinstance(error, Permanent)
    assert error.code == "journal_corrupt"
    assert f"mv {path}" in error.hint
    assert "bluegreen up" in error.hint
    assert path.read_bytes() == content


def test_a_file_cut_short_is_reported(path: Path) -> None:
    fill(path)
    os.truncate(path, path.stat().st_size // 2)
    assert refused(path).code == "journal_corrupt"


def test_a_damaged_page_is_reported_or_was_not_needed(path: Path) -> None:
    fill(path, events=200)
    sound, size = path.read_bytes(), 4096
    reported = 0
    for start in range(0, len(sound), size):
        path.write_bytes(sound[:start] + b"\xa5" * size + sound[start + size :])
        codes = _codes_of_using(path)
        assert codes <= {"journal_corrupt"}, f"page {start // size}"
        reported += bool(codes)
    assert reported > len(sound) // size // 2


def _codes_of_using(path: Path) -> set[str]:
    """Return the codes of all errors met when every part of the journal is used.

    What is read without an error must be what was written.
    """
    codes: set[str] = set()

    async def expect(call: Awaitable[Sized], count: int) -> None:
        try:
            assert len(await call) == count
        except BluegreenError as error:
            codes.add(error.code)

    async def scenario(journal: SqliteJournal) -> None:
        await expect(journal.events(Query(limit=1000)), 200)
        await expect(journal.events(Query(stack="shop", service="web", limit=1000)), 200)
        await expect(journal.events(Query(rollout="r", limit=1000)), 0)
        await expect(journal.releases("shop", "web"), 1)
        await expect(journal.rollouts(Query()), 0)
        calls = (
            journal.load(),
            journal.hold("shop.web", "one", 0.0, 10.0),
            journal.record([SaveStack(a_stack(1, "blog"))], [an_event()]),
        )
        codes.update([error.code for call in calls if (error := await caught(call))])

    try:
        use(path, scenario)
    except BluegreenError as error:
        codes.add(error.code)
    return codes


def test_a_row_that_is_not_what_it_should_be_is_reported(path: Path) -> None:
    fill(path)
    for document in ("{", "[]", '{"spec": {"name": 7}, "generation": "x"}'):
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE stacks SET document = ?", [document])
        error = refused(path)
        assert error.code == "journal_corrupt"
        assert "StackRecord" in dict(error.evidence)["found"]


def test_after_a_kill_the_file_is_examined_before_it_is_used(path: Path) -> None:
    with process(WRITER, path) as writer:
        assert writer.stdout is not None
        for _ in range(50):
            writer.stdout.readline()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()[0]
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    path.with_name("journal.db-wal").write_bytes(b"left over")
    assert refused(path).code == "journal_corrupt"


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


# -- somebody else's ---------------------------------------------------------------------------


def test_a_foreign_database_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    assert refused(path).code == "journal_foreign"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]


def test_a_journal_of_a_newer_version_is_left_alone(path: Path) -> None:
    fill(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    error = refused(path)
    assert error.code == "journal_newer"
    assert dict(error.evidence)["its schema"] == "9999"
    assert "Upgrade" in error.hint


def test_an_empty_file_becomes_a_journal(path: Path) -> None:
    path.touch()

    async def scenario(journal: SqliteJournal) -> None:
        assert await journal.load() == Memory()

    use(path, scenario)
