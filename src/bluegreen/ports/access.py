"""Access: the durable list of tokens, and the trail of who did what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bluegreen.domain.access import Deed, Token


@dataclass(frozen=True, slots=True, kw_only=True)
class DeedQuery:
    """Which deeds: empty fields match everything; ``words`` are looked for in who, what and target.

    ``before`` gives the page of deeds older than that id. At most ``limit``, newest first.
    """

    stacks: tuple[str, ...] = ()
    who: str = ""
    words: str = ""
    before: int | None = None
    limit: int = 100


class AccessStore(Protocol):
    """Raises what :class:`bluegreen.ports.journal.Journal` raises for the same file."""

    async def tokens(self) -> Sequence[Token]:
        """Return all tokens that were not withdrawn, expired ones too, oldest first."""
        ...

    async def keep_token(self, token: Token) -> None:
        """Store a token. Raises ``UserError`` (``token_exists``) when its id or name is taken."""
        ...

    async def withdraw_token(self, id: str) -> bool:
        """Forget a token; return whether it was there."""
        ...

    async def note(self, deed: Deed) -> Deed:
        """Store a deed, durably; return it with its id."""
        ...

    async def deeds(self, query: DeedQuery) -> Sequence[Deed]: ...
