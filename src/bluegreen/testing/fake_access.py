"""Tokens and deeds in memory. Keeps the contract of the real ones
(:mod:`bluegreen.testing.access_contract`)."""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain.access import Deed, Token
from bluegreen.domain.errors import UserError
from bluegreen.ports.access import AccessStore, DeedQuery


class FakeAccess:
    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._deeds: list[Deed] = []

    async def tokens(self) -> tuple[Token, ...]:
        return tuple(self._tokens.values())

    async def keep_token(self, token: Token) -> None:
        if any(token.id == known.id or token.name == known.name for known in self._tokens.values()):
            raise UserError(f"there is a token {token.name} already", code="token_exists")
        self._tokens[token.id] = token

    async def withdraw_token(self, id: str) -> bool:
        return self._tokens.pop(id, None) is not None

    async def note(self, deed: Deed) -> Deed:
        noted = replace(deed, id=len(self._deeds) + 1)
        self._deeds.append(noted)
        return noted

    async def deeds(self, query: DeedQuery) -> tuple[Deed, ...]:
        return tuple([deed for deed in reversed(self._deeds) if _fits(deed, query)][: query.limit])


def _fits(deed: Deed, query: DeedQuery) -> bool:
    return (
        (not query.stacks or deed.stack in query.stacks)
        and query.who in ("", deed.who)
        and query.words.lower() in deed.words
        and (query.before is None or deed.id < query.before)
    )


_: type[AccessStore] = FakeAccess
