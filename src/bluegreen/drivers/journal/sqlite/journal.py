"""The SQLite journal as the engine sees it: asynchronous, one call at a time, each with a deadline."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bluegreen.domain.access import Deed, Token
from bluegreen.domain.answer import Answer
from bluegreen.domain.events import Event
from bluegreen.domain.hooks import Delivery, Hook
from bluegreen.domain.release import Release
from bluegreen.domain.rollout import Rollout
from bluegreen.drivers.journal.sqlite.access import Access
from bluegreen.drivers.journal.sqlite.answers import Answers
from bluegreen.drivers.journal.sqlite.hooks import Hooks
from bluegreen.drivers.journal.sqlite.options import Options
from bluegreen.drivers.journal.sqlite.store import Store
from bluegreen.drivers.journal.sqlite.worker import Worker
from bluegreen.ports.access import AccessStore, DeedQuery
from bluegreen.ports.answers import AnswerStore
from bluegreen.ports.hooks import HookStore
from bluegreen.ports.journal import Change, Journal, Lease, Memory, Query


class SqliteJournal:
    """See :class:`bluegreen.ports.journal.Journal`, :class:`bluegreen.ports.access.AccessStore`,
    :class:`bluegreen.ports.answers.AnswerStore` and :class:`bluegreen.ports.hooks.HookStore`: it is all of
    them. Made by :func:`open_journal`."""

    def __init__(self, store: Store, access: Access, hooks: Hooks, worker: Worker) -> None:
        self._store = store
        self._access = access
        self._answers = Answers(store)
        self._hooks = hooks
        self._worker = worker

    async def load(self) -> Memory:
        return await self._worker.run(self._store.load)

    async def record(self, changes: Sequence[Change], events: Sequence[Event] = ()) -> tuple[Event, ...]:
        if not changes and not events:
            return ()
        return await self._worker.run(lambda: self._store.record(changes, events))

    async def events(self, query: Query) -> tuple[Event, ...]:
        return await self._worker.run(lambda: self._store.events(query))

    async def releases(self, stack: str, service: str) -> tuple[Release, ...]:
        return await self._worker.run(lambda: self._store.releases(stack, service))

    async def rollouts(self, query: Query) -> tuple[Rollout, ...]:
        return await self._worker.run(lambda: self._store.rollouts(query))

    async def hold(self, name: str, owner: str, now: float, ttl: float) -> Lease:
        return await self._worker.run(lambda: self._store.hold(name, owner, now, ttl))

    async def tokens(self) -> tuple[Token, ...]:
        return await self._worker.run(self._access.tokens)

    async def keep_token(self, token: Token) -> None:
        await self._worker.run(lambda: self._access.keep_token(token))

    async def withdraw_token(self, id: str) -> bool:
        return await self._worker.run(lambda: self._access.withdraw_token(id))

    async def note(self, deed: Deed) -> Deed:
        return await self._worker.run(lambda: self._access.note(deed))

    async def deeds(self, query: DeedQuery) -> tuple[Deed, ...]:
        return await self._worker.run(lambda: self._access.deeds(query))

    async def keep_answer(self, answer: Answer) -> Answer | None:
        return await self._worker.run(lambda: self._answers.keep(answer))

    async def finish_answer(self, answer: Answer) -> None:
        await self._worker.run(lambda: self._answers.finish(answer))

    async def drop_answer(self, answer: Answer) -> None:
        await self._worker.run(lambda: self._answers.drop(answer))

    async def hooks(self) -> tuple[Hook, ...]:
        return await self._worker.run(self._hooks.hooks)

    async def keep_hook(self, hook: Hook) -> None:
        await self._worker.run(lambda: self._hooks.keep_hook(hook))

    async def remove_hook(self, id: str) -> bool:
        return await self._worker.run(lambda: self._hooks.remove_hook(id))

    async def remember(self, delivery: Delivery) -> Delivery | None:
        return await self._worker.run(lambda: self._hooks.remember(delivery))


@asynccontextmanager
async def open_journal(options: Options) -> AsyncIterator[SqliteJournal]:
    """Open (or create) the journal and bring its schema up to date; close it at the end.

    Raises ``Permanent`` (``journal_corrupt``, ``journal_newer``, ``journal_foreign``,
    ``journal_forbidden``) or ``Temporary`` (``journal_locked``, ``disk_full``, ``journal_slow``).
    """
    worker = Worker(options.path, options.deadline)
    try:
        store = await worker.run(lambda: Store(options))
        try:
            yield SqliteJournal(store, Access(store, options.keep_events), Hooks(store), worker)
        finally:
            await worker.run(store.close)
    finally:
        worker.close()


_: type[Journal] = SqliteJournal
_also: type[AccessStore] = SqliteJournal
_too: type[AnswerStore] = SqliteJournal
_and: type[HookStore] = SqliteJournal
