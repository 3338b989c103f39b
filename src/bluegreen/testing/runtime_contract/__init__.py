"""The contract of :class:`bluegreen.ports.runtime.Runtime`, proved on every runtime alike.

A driver's test module subclasses :class:`RuntimeContract` as ``TestXyzRuntime``, implements the
hooks of :class:`RuntimeHarness` (``open``, ``spec``, ``broken_specs``, ``limits_of``) and inherits
the tests. Each test gets a stack name of its own, so that suites can run side by side on one
engine, and removes what it started.
"""

from bluegreen.testing.runtime_contract.adoption import AdoptionContract
from bluegreen.testing.runtime_contract.console import ConsoleContract
from bluegreen.testing.runtime_contract.endings import EndingsContract
from bluegreen.testing.runtime_contract.harness import RuntimeHarness, http_get, watching
from bluegreen.testing.runtime_contract.lifecycle import LifecycleContract
from bluegreen.testing.runtime_contract.refusals import RefusalsContract


class RuntimeContract(
    LifecycleContract, EndingsContract, AdoptionContract, RefusalsContract, ConsoleContract
):
    """Everything a runtime must do."""


__all__ = ["RuntimeContract", "RuntimeHarness", "http_get", "watching"]
