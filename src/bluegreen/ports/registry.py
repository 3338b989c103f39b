"""Registry: where instances are announced and found (Consul, ZooKeeper)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Protocol

from bluegreen.domain.announcement import Announcement, Listing


class Registry(Protocol):
    """Tells others where the instances of a stack are. Every method is idempotent and may be retried.

    Each raises ``Temporary`` (``registry_down``) when the registry does not answer within the driver's own
    deadline, and ``Permanent`` (``registry_refused``) with the registry's words when it refuses.
    """

    name: str

    async def announce(self, stack: str, announcements: Collection[Announcement]) -> None:
        """Make exactly these the announcements of ``stack``, whoever made the present ones.

        What is right already is not touched, and what changes is never absent in between. Announced
        instances stay so when the caller ends (for how long is the driver's to say), and come back
        by :meth:`supervise` when the registry forgets them.
        """
        ...

    async def list(self, stack: str, *, documents_only: bool = False) -> Listing:
        """Return what is said of ``stack``; an unknown one has nothing. Raises rather than returning a part.

        With ``documents_only`` it says nothing of announcements, and costs the same however many there are.

        An entry that cannot be read is skipped and told of in ``malformed``. Documents are read before
        announcements: who writes a document after announcing is seen with what was announced.
        """
        ...

    def changes(self, stack: str) -> AsyncIterator[None]:
        """Yield whenever something of ``stack`` may have changed, for as long as the iterator is read.

        The first comes at once, another after every lost connection, and one at least every minute: a
        reader that lists at each misses nothing for longer. Never raises for the registry's trouble and
        never ends. Many changes may be told as one.
        """
        ...

    async def write(self, stack: str, key: str, text: str, expected: int | None) -> int:
        """Replace the document ``key`` if its version is ``expected``; return its new version.

        ``None`` replaces whatever there is; 0 makes it only where there is none.

        Raises ``Temporary`` (``conflict``) when somebody else was faster, and changes nothing then. ``key``
        is words of letters, digits, ``-``, ``_``, ``.`` between slashes.
        """
        ...

    async def report(self, stack: str, key: str, text: str) -> None:
        """Write a document that lasts only as long as its reporter: it vanishes within a minute of its end.

        It is repeated by :meth:`supervise`. An empty ``text`` removes the document at once, also one that
        :meth:`write` made or that somebody else reported.
        """
        ...

    async def supervise(self) -> None:
        """Until cancelled: renew sessions, and bring back what was announced or reported and got lost.

        Never raises for the registry's trouble. Cancelling withdraws nothing that was announced.
        """
        ...
