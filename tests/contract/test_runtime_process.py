"""The process runtime keeps the contract, with real processes and real control groups."""

from __future__ import annotations

from bluegreen.testing.runtime_contract import RuntimeContract
from tests.support.process_harness import ProcessHarness


class TestProcessRuntime(ProcessHarness, RuntimeContract):
    """All of the contract, nothing added."""
