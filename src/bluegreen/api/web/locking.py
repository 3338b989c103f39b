"""What locking and unlocking a service will do, said before it is done, and then done."""

from __future__ import annotations

from bluegreen.api.context import Context
from bluegreen.api.web import words
from bluegreen.api.web.page import Form
from bluegreen.api.web.plans import Choice, Field, Plan, Target, page_of
from bluegreen.domain.errors import UserError
from bluegreen.domain.lock import Lock
from bluegreen.engine.commands import locks, lookup
from bluegreen.engine.ledger import ServiceKey

_TIMES = {"": "until somebody unlocks it", "3600": "1 hour", "14400": "4 hours", "86400": "1 day"}


async def ask_lock(use: Context, target: Target) -> Plan:
    key = lookup.service(use.engine, target.name, target.stack)
    times = tuple(Choice(value=value, label=label, chosen=not value) for value, label in _TIMES.items())
    locks.refuse_others(use.engine, *key, target.who)
    return Plan(
        title=f"Lock {key[1]}",
        sentences=(
            "Nothing new is released of it, whoever asks: no deploy, no switch, no change of its definition.",
            "To go back stays possible, and so do abort, scale and drain.",
            "A rollout that is under way goes on; to hold that, pause it.",
        ),
        button="Lock",
        back=page_of(key),
        fields=(
            Field(name="why", label="Why", note="told to whoever is refused"),
            Field(name="seconds", label="For how long", kind="choice", choices=times),
        ),
    )


async def ask_unlock(use: Context, target: Target) -> Plan:
    key = lookup.service(use.engine, target.name, target.stack)
    held = _found(use, key)
    return Plan(
        title=f"Unlock {held.what}",
        sentences=(
            f"{held.who} locked it {words.span(use.engine.clock.now() - held.since)} ago: {held.why}",
            "Whoever may release can do so again.",
        ),
        button="Unlock",
        back=page_of(key),
        seen=f"{held.service} {held.since}",
    )


async def lock(use: Context, target: Target, form: Form) -> None:
    key = lookup.service(use.engine, target.name, target.stack)
    time = form.get("seconds", "")
    if time not in _TIMES:
        raise UserError(
            f"“{time[:50]}” is none of the times", code="invalid_request", hint="Go back and choose one."
        )
    seconds = float(time) if time else None
    why = form.get("why", "").strip()[:500]
    await locks.lock(use.engine, *key, who=target.who, why=why, seconds=seconds)


async def unlock(use: Context, target: Target, form: Form) -> None:
    held = _found(use, lookup.service(use.engine, target.name, target.stack))
    await locks.unlock(use.engine, held.stack, held.service)


def _found(use: Context, key: ServiceKey) -> Lock:
    held = locks.covering(use.engine, *key)
    if held is None:
        raise locks.not_locked(use.engine, *key)
    return held
