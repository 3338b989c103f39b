"""Counts every call a controller makes to the world, and spoils the one a test names.

All ports of one controller share one wire, so "the 17th call" means the 17th call to anything. After
a crash the wire is dead: a dead controller calls nobody, not even in its ``finally``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from bluegreen.testing.fake_journal import Crash


class Tripwire:
    """``log`` names every call. ``watch`` is called before each call, and what it returns after its effect.

    At call ``at`` (from 1) ``spoil`` is raised, before or ``after`` the effect.
    """

    def __init__(
        self,
        at: int | None = None,
        spoil: BaseException | None = None,
        *,
        after: bool = False,
        watch: Callable[[str], Callable[[], None]] = lambda _call: lambda: None,
    ) -> None:
        self.at = at
        self.spoil = spoil
        self.after = after
        self.watch = watch
        self.armed = True
        self.dead = False
        self.log: list[str] = []

    def wrap(self, port: Any) -> Any:
        return _Wired(port, self)

    def before(self, call: str) -> bool:
        """Return whether this is the call to be spoiled after its effect."""
        if self.dead:
            raise Crash("the controller is dead")
        if not self.armed:
            return False
        self.log.append(call)
        due = self.spoil is not None and len(self.log) == self.at
        if due and not self.after:
            self._trip()
        return due

    def passed(self, due: bool) -> None:
        if self.dead:
            raise Crash("the controller is dead")
        if due:
            self._trip()

    def _trip(self) -> None:
        assert self.spoil is not None
        self.dead = isinstance(self.spoil, Crash)
        raise self.spoil


class _Wired:
    """Stands before a port. Only coroutine methods are calls; streams and attributes pass."""

    def __init__(self, port: Any, wire: Tripwire) -> None:
        self._port = port
        self._wire = wire

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not inspect.iscoroutinefunction(found):
            return found
        label = f"{type(self._port).__name__}.{name}"

        async def call(*args: Any, **kwargs: Any) -> Any:
            due = self._wire.before(label)
            look = self._wire.watch(label)
            result = await found(*args, **kwargs)
            look()
            self._wire.passed(due)
            return result

        return call
