"""A clock of paper for what waits by :mod:`time`: it goes on by what is slept, and costs nothing."""

from __future__ import annotations


class PaperClock:
    def __init__(self) -> None:
        self._now = 1_000.0

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds
