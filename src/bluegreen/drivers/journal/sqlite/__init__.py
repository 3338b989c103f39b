"""The journal in one SQLite file: the default, for one controller.

Found by its entry point; opened by the composition root with :func:`open_journal`.
"""

from bluegreen.drivers.journal.sqlite.journal import SqliteJournal, open_journal
from bluegreen.drivers.journal.sqlite.options import Options

__all__ = ["Options", "SqliteJournal", "open_journal"]
