"""Balancers on other boxes: who follows, who is missed, and missing one no more."""

from __future__ import annotations

from collections.abc import Collection

from bluegreen.domain.errors import UserError
from bluegreen.engine.announcer import Announcer
from bluegreen.engine.commands import lookup
from bluegreen.engine.engine import Engine


async def forget(engine: Engine, box: str, *, stack: str | None = None) -> tuple[str, ...]:
    """Miss a box no more, in ``stack`` or in all; return the stacks that it was missed in.

    Raises ``UserError``: ``unknown_box``, or ``box_follows`` when it is heard of.
    """
    announcer = engine.drivers.announcer
    if announcer is None:
        raise lookup.unknown("box", box, ())
    stacks = [name for name in announcer.marks if stack in (None, name)]
    missed = tuple(name for name in stacks if box in announcer.lost(name))
    if not missed:
        raise _not_missed(announcer, box, stacks)
    for name in missed:
        await announcer.forget(name, box)
    return missed


def _not_missed(announcer: Announcer, box: str, stacks: Collection[str]) -> UserError:
    heard = {name for stack in stacks for name in announcer.reports.get(stack, {})}
    if box not in heard:
        return lookup.unknown("box", box, (name for stack in stacks for name in announcer.lost(stack)))
    return UserError(
        f"box {box} follows: releases wait for it",
        code="box_follows",
        hint="End its balancer and `bluegreen balancer` there first; then it can be forgotten.",
    )
