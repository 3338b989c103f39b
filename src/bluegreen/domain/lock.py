"""A person's word that nothing new is released for now: who gave it, why, and until when. Pure.

A lock keeps out what begins: releases, switches, changes of a definition. It never keeps anybody from the
way back, nor from what an incident takes (``rollback``, ``abort``, ``scale``, ``drain``, ``restart``), and a
rollout that is under way goes on: to hold that, pause it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from bluegreen.domain.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """``service`` is empty for all of the stack. Times are UNIX seconds; ``until`` of ``None``: for as long
    as nobody takes it away."""

    stack: str
    service: str = ""
    who: str
    why: str
    since: float
    until: float | None = None

    @property
    def what(self) -> str:
        return f"{self.service}.{self.stack}" if self.service else f"the stack {self.stack}"

    @property
    def name(self) -> str:
        """What ``bluegreen unlock`` takes."""
        return f"{self.service}.{self.stack}" if self.service else self.stack

    def holds(self, now: float) -> bool:
        return self.until is None or now < self.until


def in_force(locks: Iterable[Lock], now: float) -> tuple[Lock, ...]:
    return tuple(lock for lock in locks if lock.holds(now))


def refuse(locks: Iterable[Lock], services: Iterable[str], now: float) -> None:
    """Raise ``UserError`` (``locked``) if one of ``locks`` of a stack covers any of its ``services``.

    A lock of the whole stack covers whatever is asked.
    """
    covered = {"", *services}
    for lock in in_force(locks, now):
        if lock.service in covered:
            raise refusal(lock)


def refusal(lock: Lock) -> UserError:
    end = () if lock.until is None else (("until", _moment(lock.until)),)
    return UserError(
        f"{lock.what} is locked: {lock.why}",
        code="locked",
        evidence=(("by", lock.who), ("since", _moment(lock.since)), *end),
        hint=f"Ask {lock.who}, or take the lock away: `bluegreen unlock {lock.name}`. "
        "To go back, to scale and to drain is possible all the same.",
    )


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
