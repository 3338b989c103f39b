"""What shall go wrong at coming calls of a fake. Used by the fakes whose calls fail or hang by number.

Rule: a trouble happens before or after the call's effect, as the test says: only so is an answer that got
lost told from a call that never arrived.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(slots=True)
class _Trouble:
    """``countdown`` of 1 is the next call; without an ``error`` it hangs."""

    method: str
    countdown: int
    error: BaseException | None
    after: bool


class Troubles:
    """See the module."""

    def __init__(self) -> None:
        self._ahead: list[_Trouble] = []
        self._released = asyncio.Event()

    def fail(self, method: str, error: BaseException, nth: int, after: bool) -> None:
        """Raise ``error`` at the ``nth`` call of ``method`` from now, before or ``after`` its effect."""
        self._ahead.append(_Trouble(method, nth, error, after))

    def hang(self, method: str, nth: int, after: bool) -> None:
        """Never answer the ``nth`` call of ``method`` from now, until :meth:`release`."""
        self._released.clear()
        self._ahead.append(_Trouble(method, nth, None, after))

    def release(self) -> None:
        """Let all hanging calls go on."""
        self._released.set()

    async def come(self, method: str, *, after: bool) -> None:
        """Let happen what is due at this side of a call of ``method``."""
        due = None
        for trouble in [t for t in self._ahead if t.method == method and t.after is after]:
            trouble.countdown -= 1
            due = trouble if trouble.countdown == 0 else due
        if due is None:
            return
        self._ahead.remove(due)
        if due.error is not None:
            raise due.error
        await self._released.wait()
