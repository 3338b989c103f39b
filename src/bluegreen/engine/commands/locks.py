"""Lock and unlock, and who is kept out: asked by every command that begins something."""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain import lock as locking
from bluegreen.domain.errors import UserError
from bluegreen.domain.events import Event
from bluegreen.domain.lock import Lock
from bluegreen.engine.commands import lookup, turn
from bluegreen.engine.engine import Engine
from bluegreen.ports.journal import StackRecord


def listed(engine: Engine, stack: str | None = None) -> tuple[Lock, ...]:
    """Return the locks that hold now."""
    now = engine.clock.now()
    records = engine.ledger.stacks.values()
    kept = (lock for record in records if stack in (None, record.spec.name) for lock in record.locks)
    return locking.in_force(kept, now)


def covering(engine: Engine, stack: str, service: str) -> Lock | None:
    """Return the lock that keeps new releases of a service out: its own, else that of its stack."""
    return _held(engine, stack, service) or _held(engine, stack, "")


def refuse_others(engine: Engine, stack: str, service: str, who: str) -> None:
    """Raise ``UserError`` (``locked``) when somebody else than ``who`` holds this very lock."""
    held = _held(engine, stack, service)
    if held is not None and held.who != who:
        raise locking.refusal(held)


def require_unlocked(engine: Engine, stack: str, *services: str) -> None:
    """Raise ``UserError`` (``locked``) while a lock covers one of ``services``, or all of ``stack``."""
    known = engine.ledger.stacks.get(stack)
    if known is not None:
        locking.refuse(known.locks, services, engine.clock.now())


async def lock(
    engine: Engine, stack: str, service: str = "", *, who: str, why: str, seconds: float | None = None
) -> Lock:
    """Let nothing new be released of ``service``, or of all of ``stack``, until it is unlocked or for
    ``seconds``.

    Raises ``UserError``: ``locked`` when somebody else holds the same lock (one's own is given anew),
    ``no_reason``, ``unknown_stack``, ``unknown_service``.
    """
    if not why.strip():
        raise UserError(
            "a lock needs a reason", code="no_reason", hint="Say why to those who will meet it (--why TEXT)."
        )
    async with turn.of_stack(engine, stack):
        if service:
            lookup.service(engine, service, stack)
        refuse_others(engine, stack, service, who)
        now = engine.clock.now()
        until = None if seconds is None else now + seconds
        given = Lock(stack=stack, service=service, who=who, why=why, since=now, until=until)
        await _store(engine, given, "lock.set", f"{given.what} is locked by {who}: {why}", holds=True)
        return given


async def unlock(engine: Engine, stack: str, service: str = "") -> Lock:
    """Take a lock away, whoever gave it; return it. Raises ``UserError`` (``not_locked``)."""
    async with turn.of_stack(engine, stack):
        held = _held(engine, stack, service)
        if held is None:
            raise not_locked(engine, stack, service)
        await _store(engine, held, "lock.lifted", f"{held.what} is unlocked", holds=False)
        return held


def _held(engine: Engine, stack: str, service: str) -> Lock | None:
    return next((one for one in listed(engine, stack) if one.service == service), None)


async def _store(engine: Engine, lock: Lock, kind: str, message: str, *, holds: bool) -> None:
    """Have ``lock`` hold in place of the one of the same thing, or none; forget those that are over."""
    now = engine.clock.now()

    def changed(record: StackRecord) -> StackRecord:
        others = [one for one in locking.in_force(record.locks, now) if one.service != lock.service]
        return replace(record, locks=(*others, lock) if holds else tuple(others))

    event = Event(kind=kind, message=message, at=now, stack=lock.stack, service=lock.service)
    await engine.ledger.change_stack(lock.stack, changed, (event,))


def not_locked(engine: Engine, stack: str, service: str) -> UserError:
    others = [lock.name for lock in listed(engine, stack)]
    return UserError(
        f"{service or stack} is not locked",
        code="not_locked",
        hint=f"What is: {', '.join(others)}." if others else "Nothing needs to be done.",
    )
