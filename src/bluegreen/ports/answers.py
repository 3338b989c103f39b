"""Answers: what was answered to requests with a key, so that a repeated one begins nothing."""

from __future__ import annotations

from typing import Protocol

from bluegreen.domain.answer import Answer

LIFETIME = 48 * 3600.0
"""Seconds for which an answer is kept."""

AT_MOST = 20_000
"""Answers that are kept at most; the oldest go first."""


class AnswerStore(Protocol):
    """Raises what :class:`bluegreen.ports.journal.Journal` raises for the same file."""

    async def keep_answer(self, answer: Answer) -> Answer | None:
        """Store an answer, durably, unless there is one for its ``who`` and ``key``: then return that one.

        Forgets those older than :data:`LIFETIME` before ``answer.at``, and the oldest beyond :data:`AT_MOST`.
        """
        ...

    async def finish_answer(self, answer: Answer) -> None:
        """Replace the stored one with the same ``who`` and ``key``; nothing happens where there is none."""
        ...

    async def drop_answer(self, answer: Answer) -> None:
        """Forget the one with the same ``who`` and ``key``, if there is one."""
        ...
