"""What every journal must do, as a test suite.

Derive from :class:`JournalContract` in a test module, implement ``stage``, and pytest runs the suite
against your driver. Rule: the suite speaks only the vocabulary of :mod:`bluegreen.ports.journal`;
two controllers are two journals opened on one :class:`Stage`.
"""

from bluegreen.testing.journal_contract.history import HistoryContract
from bluegreen.testing.journal_contract.leases import LeaseContract
from bluegreen.testing.journal_contract.memory import MemoryContract
from bluegreen.testing.journal_contract.stage import Stage

__all__ = ["JournalContract", "Stage"]


class JournalContract(MemoryContract, HistoryContract, LeaseContract):
    """All of it."""
