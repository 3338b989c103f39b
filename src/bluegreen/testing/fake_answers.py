"""Answers in memory. Keeps the contract of the real ones (:mod:`bluegreen.testing.answers_contract`)."""

from __future__ import annotations

from bluegreen.domain.answer import Answer
from bluegreen.ports.answers import AT_MOST, LIFETIME, AnswerStore


class FakeAnswers:
    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Answer] = {}

    async def keep_answer(self, answer: Answer) -> Answer | None:
        self._kept = {k: a for k, a in self._kept.items() if a.at > answer.at - LIFETIME}
        own = (answer.who, answer.key)
        if own in self._kept:
            return self._kept[own]
        self._kept[own] = answer
        while len(self._kept) > AT_MOST:
            self._kept.pop(next(iter(self._kept)))
        return None

    async def finish_answer(self, answer: Answer) -> None:
        if (answer.who, answer.key) in self._kept:
            self._kept[answer.who, answer.key] = answer

    async def drop_answer(self, answer: Answer) -> None:
        self._kept.pop((answer.who, answer.key), None)


_: type[AnswerStore] = FakeAnswers
