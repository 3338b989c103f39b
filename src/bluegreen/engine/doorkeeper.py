"""Lets in who may come in, and writes down what they did.

Called by the API. Tokens are in memory, as the journal has them: a request costs no look at the disk. Whoever
tries secrets out is slowed down by where it comes from.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from bluegreen.domain.access import Actor, Deed, Role, Token, id_of, issue, proves
from bluegreen.domain.errors import BluegreenError, UserError
from bluegreen.engine.tries import Tries
from bluegreen.ports.access import AccessStore, DeedQuery
from bluegreen.ports.clock import Clock

log = structlog.get_logger()


class Doorkeeper:
    def __init__(self, store: AccessStore, clock: Clock, tries: Tries | None = None) -> None:
        self._store = store
        self._clock = clock
        self._tokens: dict[str, Token] = {}
        self._tries = tries or Tries()

    async def load(self) -> None:
        """Read the tokens. Raises what the store raises."""
        self._tokens = {token.id: token for token in await self._store.tokens()}

    def by_token(self, text: str, origin: str) -> Actor:
        """Return whose token ``text`` is. Raises what :meth:`shown` raises."""
        return actor(self.shown(text, origin), "token", origin)

    def shown(self, text: str, origin: str) -> Token:
        """Return the token that ``text`` is.

        Raises ``UserError``: ``unauthenticated``, ``token_expired``, or ``too_many_tries`` with
        ``Retry-After`` as evidence. A right one is never kept waiting: others at its address may be wrong.
        """
        now = self._clock.now()
        token = self._tokens.get(id_of(text))
        if token is None or not proves(text, token):
            self._tries.check(origin, now)
            self._tries.failed(origin, now)
            log.warning("access.refused", origin=origin, token=token.name if token else "")
            raise unauthenticated("this token is not known here")
        if token.expired(now):
            raise UserError(
                f"the token {token.name} has expired",
                code="token_expired",
                hint="Ask an administrator for a new one: `bluegreen token create`.",
            )
        return token

    def valid(self, id: str) -> Token | None:
        """Return the token with this id, ``None`` once it was withdrawn or has expired."""
        token = self._tokens.get(id)
        return None if token is None or token.expired(self._clock.now()) else token

    def tokens(self) -> Sequence[Token]:
        return tuple(self._tokens.values())

    async def issue(
        self, name: str, role: Role, by: Actor, *, stacks: tuple[str, ...] = (), lifetime: float | None = None
    ) -> tuple[Token, str]:
        """Make a token; return it with the text that is shown this once. Raises ``token_exists``."""
        token, text = issue(
            name, role, self._clock.now(), stacks=stacks, created_by=by.name, lifetime=lifetime
        )
        await self._store.keep_token(token)
        self._tokens[token.id] = token
        return token, text

    async def withdraw(self, name: str) -> Token:
        """Forget the token with this name or id: it opens nothing from now on. Raises ``unknown_token``."""
        for token in self.tokens():
            if name in (token.id, token.name):
                await self._store.withdraw_token(token.id)
                self._tokens.pop(token.id, None)
                return token
        known = ", ".join(token.name for token in self.tokens()) or "none"
        raise UserError(f"there is no token {name}", code="unknown_token", hint=f"Known: {known}.")

    async def note(self, deed: Deed) -> None:
        """Write down what somebody did. Where that fails the log tells it: what is done is done."""
        try:
            await self._store.note(deed)
        except (BluegreenError, TimeoutError) as error:
            log.error("audit.unwritten", error=str(error), who=deed.who, what=deed.what, target=deed.target)

    async def deeds(self, query: DeedQuery) -> Sequence[Deed]:
        return await self._store.deeds(query)


def actor(token: Token, via: str, origin: str) -> Actor:
    return Actor(name=token.name, role=token.role, via=via, origin=origin, stacks=token.stacks)


def unauthenticated(message: str) -> UserError:
    return UserError(
        message,
        code="unauthenticated",
        hint="Put a token into BLUEGREEN_TOKEN; an administrator makes one with `bluegreen token create`.",
    )
