"""Waiting for a condition under a deadline (lives in the package because contract suites use it)."""

from bluegreen.testing.waiting import until

__all__ = ["until"]
