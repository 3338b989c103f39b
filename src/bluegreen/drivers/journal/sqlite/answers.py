"""Answers to requests with a key, in the journal's file. Runs in the worker's thread."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import ColumnElement, and_, delete, insert, select, update

from bluegreen.domain.answer import Answer
from bluegreen.drivers.journal.sqlite.store import Store
from bluegreen.drivers.journal.sqlite.tables import answers
from bluegreen.ports.answers import AT_MOST, LIFETIME

_FIELDS = [column for column in answers.c if column.name != "seq"]
_TOO_MANY = select(answers.c.seq).order_by(answers.c.seq.desc()).limit(1).offset(AT_MOST).scalar_subquery()


class Answers:
    """Synchronous counterpart of :class:`bluegreen.ports.answers.AnswerStore`; raises what the port says."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, answer: Answer) -> Answer | None:
        with self._store.change() as connection:
            connection.execute(delete(answers).where(answers.c.at <= answer.at - LIFETIME))
            known = connection.execute(select(*_FIELDS).where(_of(answer))).one_or_none()
            if known is not None:
                return Answer(**known._mapping)
            connection.execute(insert(answers), asdict(answer))
            connection.execute(delete(answers).where(answers.c.seq <= _TOO_MANY))
        return None

    def finish(self, answer: Answer) -> None:
        with self._store.change() as connection:
            connection.execute(update(answers).where(_of(answer)).values(asdict(answer)))

    def drop(self, answer: Answer) -> None:
        with self._store.change() as connection:
            connection.execute(delete(answers).where(_of(answer)))


def _of(answer: Answer) -> ColumnElement[bool]:
    return and_(answers.c.who == answer.who, answers.c.key == answer.key)
