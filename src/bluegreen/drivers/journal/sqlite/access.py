"""Tokens and deeds in the journal's file, one transaction each. Runs in the worker's thread."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import bindparam, delete, func, insert, select

from bluegreen.domain.access import Deed, Token
from bluegreen.domain.errors import UserError
from bluegreen.drivers.journal.sqlite.store import Store
from bluegreen.drivers.journal.sqlite.tables import deeds, tokens
from bluegreen.ports.access import DeedQuery
from bluegreen.ports.codec import decode, encode

_PRUNE_EVERY = 1000
_NEWEST = select(func.max(deeds.c.id)).scalar_subquery()
_PRUNE = delete(deeds).where(deeds.c.id <= _NEWEST - bindparam("keep"))


class Access:
    """Synchronous counterpart of :class:`bluegreen.ports.access.AccessStore`; raises what the port says."""

    def __init__(self, store: Store, keep: int) -> None:
        self._store = store
        self._keep = keep

    def tokens(self) -> tuple[Token, ...]:
        with self._store.look() as connection:
            found = connection.execute(select(tokens.c.document).order_by(tokens.c.seq)).scalars()
            return tuple(decode(Token, document) for document in found)

    def keep_token(self, token: Token) -> None:
        with self._store.change() as connection:
            taken = select(tokens.c.name).where((tokens.c.id == token.id) | (tokens.c.name == token.name))
            if connection.execute(taken).first() is not None:
                raise UserError(
                    f"there is a token {token.name} already",
                    code="token_exists",
                    hint="Give it another name, or withdraw the other one: `bluegreen token rm`.",
                )
            values = {"id": token.id, "name": token.name, "document": encode(token)}
            connection.execute(insert(tokens), values)

    def withdraw_token(self, id: str) -> bool:
        with self._store.change() as connection:
            return connection.execute(delete(tokens).where(tokens.c.id == id)).rowcount > 0

    def note(self, deed: Deed) -> Deed:
        values = {"stack": deed.stack, "who": deed.who, "words": deed.words, "document": encode(deed)}
        with self._store.change() as connection:
            id = connection.execute(insert(deeds).returning(deeds.c.id), values).scalar_one()
            if id % _PRUNE_EVERY == 0:
                connection.execute(_PRUNE, {"keep": self._keep})
        return replace(deed, id=id)

    def deeds(self, query: DeedQuery) -> tuple[Deed, ...]:
        wanted = select(deeds.c.id, deeds.c.document)
        if query.stacks:
            wanted = wanted.where(deeds.c.stack.in_(query.stacks))
        if query.who:
            wanted = wanted.where(deeds.c.who == query.who)
        if query.words:
            wanted = wanted.where(func.instr(deeds.c.words, query.words.lower()) > 0)
        if query.before is not None:
            wanted = wanted.where(deeds.c.id < query.before)
        with self._store.look() as connection:
            rows = connection.execute(wanted.order_by(deeds.c.id.desc()).limit(query.limit))
            return tuple(replace(decode(Deed, row.document), id=row.id) for row in rows)
