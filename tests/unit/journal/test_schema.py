"""The schema of the SQLite journal: migrations end where the tables say, and cost nothing later."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from bluegreen.drivers.journal import sqlite
from bluegreen.drivers.journal.sqlite import Options, open_journal
from bluegreen.drivers.journal.sqlite.tables import APPLICATION_ID, REVISIONS, metadata
from bluegreen.ports.journal import Query
from bluegreen.testing.journal_contract.stage import an_event

OPEN = """
import asyncio, sys
from pathlib import Path
from bluegreen.drivers.journal.sqlite import Options, open_journal

async def main():
    async with open_journal(Options(path=Path(sys.argv[1]))) as journal:
        await journal.load()

asyncio.run(main())
print("alembic" in sys.modules)
"""


def test_the_migrations_lead_to_the_tables(tmp_path: Path) -> None:
    path = tmp_path / "100%.db"
    _of_the_first_version(path)
    _record(path, 1)
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
    fresh = tmp_path / "fresh.db"
    _record(fresh, 1)
    assert _schema(fresh) == _schema(path)


def _of_the_first_version(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(Path(sqlite.__file__).parent / "migrations"))
    with engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        config.attributes["connection"] = connection
        command.upgrade(config, REVISIONS[0])
        connection.commit()
    engine.dispose()


def _schema(path: Path) -> list[str]:
    """Return the definitions of a file, and at the end its version."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        made = connection.execute(text(_SCHEMA)).scalars().all()
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    engine.dispose()
    return [*(" ".join(str(statement).split()) for statement in made), version]


_SCHEMA = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"


def test_every_revision_is_known_in_its_order() -> None:
    folder = Path(sqlite.__file__).parent / "migrations"
    walked = [script.revision for script in ScriptDirectory(str(folder)).walk_revisions()]
    assert tuple(reversed(walked)) == REVISIONS


def test_alembic_is_imported_only_to_migrate(tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    _of_the_first_version(old)
    opened = [
        subprocess.run([sys.executable, "-c", OPEN, str(path)], check=True, capture_output=True, text=True)
        for path in (new, old, old)
    ]
    assert [process.stdout.strip() for process in opened] == ["False", "True", "False"]


def test_old_events_are_pruned_and_their_ids_never_used_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    _record(path, 30, keep_events=10)
    assert _record(path, 1, keep_events=10) == list(range(22, 32))


def _record(path: Path, count: int, keep_events: int = 100) -> list[int]:
    """Record ``count`` events; return the ids of all that the journal then holds."""

    async def main() -> list[int]:
        async with open_journal(Options(path=path, keep_events=keep_events)) as journal:
            await journal.record([], [an_event()] * count)
            return [event.id for event in await journal.events(Query(limit=1000))]

    return asyncio.run(main())
