"""The contract of :class:`bluegreen.ports.answers.AnswerStore`: one suite for all drivers."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Protocol

from bluegreen.domain.answer import Answer
from bluegreen.ports.answers import LIFETIME, AnswerStore
from bluegreen.testing.suite import Suite

NOW = 1_700_000_000.0
ASKED = Answer(who="token ci", key="k-1", request="digest", at=NOW, after=7)


class Stage(Protocol):
    """Where one store lives. Everything is gone when its context ends."""

    def open(self) -> AbstractAsyncContextManager[AnswerStore]:
        """Open the store as a controller does. May be open several times at once."""
        ...


class AnswersContract(Suite[Stage]):
    def test_an_answer_is_there_after_a_restart_and_is_not_replaced(self) -> None:
        async def scenario(stage: Stage) -> None:
            done = replace(ASKED, status=202, body='{"rollout": "ä"}')
            async with stage.open() as store:
                assert await store.keep_answer(ASKED) is None
            async with stage.open() as store:
                assert await store.keep_answer(replace(ASKED, request="other", at=NOW + 1)) == ASKED
                await store.finish_answer(done)
            async with stage.open() as store:
                assert await store.keep_answer(ASKED) == done

        self.run(scenario)

    def test_a_key_is_its_owners(self) -> None:
        async def scenario(stage: Stage) -> None:
            async with stage.open() as store:
                assert await store.keep_answer(ASKED) is None
                assert await store.keep_answer(replace(ASKED, who="token wall")) is None
                assert await store.keep_answer(replace(ASKED, key="k-2")) is None

        self.run(scenario)

    def test_what_was_dropped_is_free_again_and_cannot_be_finished(self) -> None:
        async def scenario(stage: Stage) -> None:
            async with stage.open() as store:
                await store.keep_answer(ASKED)
                await store.drop_answer(ASKED)
                await store.drop_answer(ASKED)
                await store.finish_answer(replace(ASKED, status=200))
                assert await store.keep_answer(ASKED) is None

        self.run(scenario)

    def test_the_old_ones_are_forgotten_and_a_days_are_not(self) -> None:
        async def scenario(stage: Stage) -> None:
            async with stage.open() as store:
                await store.keep_answer(ASKED)
                day_later = replace(ASKED, key="k-2", at=NOW + 24 * 3600)
                await store.keep_answer(day_later)
                assert await store.keep_answer(replace(ASKED, at=day_later.at)) == ASKED
                await store.keep_answer(replace(ASKED, key="k-3", at=NOW + LIFETIME + 1))
                assert await store.keep_answer(replace(ASKED, at=NOW + LIFETIME + 1)) is None
                assert await store.keep_answer(day_later) == day_later

        self.run(scenario)
