"""Pause, resume, promote: a person's word on a rollout that goes on by itself otherwise.

What each means is :func:`bluegreen.domain.rollout.steer`, what a pause holds up
:mod:`bluegreen.domain.decide`. Here it is made sure that the word reaches the rollout it was meant for.
"""

from __future__ import annotations

from bluegreen.domain.errors import UserError
from bluegreen.domain.rollout import Happened, Rollout, skips
from bluegreen.engine.engine import Engine


async def pause(engine: Engine, rollout: Rollout) -> Rollout:
    """Have a rollout go no further until it is resumed; it may be paused already.

    ``rollout`` is what the person saw of it. Raises ``UserError`` (``too_late``) once it goes back, stops
    the old color, or has ended.
    """
    return await _say(engine, rollout, Happened.PAUSED)


async def resume(engine: Engine, rollout: Rollout) -> Rollout:
    """Have a rollout go on where it was paused, with the time that was left; it may be going on already."""
    return await _say(engine, rollout, Happened.RESUMED)


async def promote(engine: Engine, rollout: Rollout, *, skip: str | None = None) -> Rollout:
    """Skip what is only waited for: the ``shares`` of a canary, or the rest of the ``bake``.
    What must be proved or drained still must.

    ``skip`` says which of the two the person means. Raises ``UserError`` (``too_late``) where the rollout
    is past that: a word that comes twice does not skip twice.
    """
    if skip not in (None, skips(rollout.phase)) and not rollout.final:
        raise UserError(
            f"rollout {rollout.id} is {rollout.phase}: the {skip} cannot be skipped any more",
            code="too_late",
            hint=f"Look at it (`bluegreen status`), then say it again: `bluegreen promote {rollout.id}`.",
        )
    return await _say(engine, rollout, Happened.PROMOTED)


async def _say(engine: Engine, rollout: Rollout, happened: Happened) -> Rollout:
    if rollout.final:
        raise UserError(
            f"rollout {rollout.id} has ended: {rollout.phase}",
            code="too_late",
            hint=f"`bluegreen history {rollout.service}` shows how it went.",
        )
    return await engine.loop((rollout.stack, rollout.service)).ask(happened, seen=rollout)
