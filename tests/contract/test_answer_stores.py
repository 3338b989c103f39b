"""Answers to requests with a key: the fake and the journal's file keep one contract."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from bluegreen.testing.answers_contract import AnswersContract, Stage
from bluegreen.testing.fake_answers import FakeAnswers
from tests.support.stores import in_a_file, in_memory


class TestFakeAnswers(AnswersContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return in_memory(FakeAnswers())


class TestSqliteAnswers(AnswersContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return in_a_file()
