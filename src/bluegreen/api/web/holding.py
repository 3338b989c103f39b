"""What pausing, resuming and promoting will do, said before it is done, and then done."""

from __future__ import annotations

from bluegreen.api.context import Context
from bluegreen.api.web import words
from bluegreen.api.web.page import Form
from bluegreen.api.web.plans import Field, Plan, Target
from bluegreen.domain.errors import UserError
from bluegreen.domain.rollout import BEFORE_TRAFFIC, Phase, Rollout, skips
from bluegreen.engine import narrate
from bluegreen.engine.commands import lookup, steering


async def ask_pause(use: Context, target: Target) -> Plan:
    rollout = await _found(use, target)
    return _plan(
        rollout,
        "Pause",
        _stays(rollout),
        "Deadlines stand still until somebody resumes or promotes it, also over restarts of the controller.",
        "If the new release turns bad, it loses its traffic all the same.",
    )


async def ask_resume(use: Context, target: Target) -> Plan:
    rollout = await _found(use, target)
    left = "What was left of the present wait is what is left of it."
    return _plan(rollout, "Resume", f"It goes on from “{rollout.phase}”.", left)


async def ask_promote(use: Context, target: Target) -> Plan:
    rollout = await _found(use, target)
    if skips(rollout.phase) == "bake":
        sentences = _may_go(rollout)
    else:
        proof = "Once it passes its checks, it" if rollout.phase in BEFORE_TRAFFIC else "It"
        sentences = (
            f"{proof} gets all the traffic in one step; no share is waited on.",
            "After that it is watched for the whole bake, while the way back is warm.",
        )
    return _plan(rollout, "Promote", *sentences, skip=skips(rollout.phase))


async def pause(use: Context, target: Target, form: Form) -> Rollout:
    return await steering.pause(use.engine, await lookup.rollout(use.engine, target.name))


async def resume(use: Context, target: Target, form: Form) -> Rollout:
    return await steering.resume(use.engine, await lookup.rollout(use.engine, target.name))


async def promote(use: Context, target: Target, form: Form) -> Rollout:
    """What the page said is what is done, or nothing."""
    rollout = await lookup.rollout(use.engine, target.name)
    return await steering.promote(use.engine, rollout, skip=form.get("skip") or None)


def _stays(rollout: Rollout) -> str:
    if rollout.phase in BEFORE_TRAFFIC:
        return "It is made ready and proved, but gets no traffic."
    if rollout.phase is Phase.SHIFTING:
        return f"{narrate.subject(rollout)} keeps {rollout.share} % of the traffic: no further step."
    return "The old color stays as it is: the way back stays open."


def _may_go(rollout: Rollout) -> tuple[str, ...]:
    if not rollout.retire_source or rollout.source is None:
        return (f"{narrate.subject(rollout)} is not watched any longer. Nothing is stopped.",)
    old = narrate.short(rollout.source)
    return (
        f"{old} is not kept warm any longer: it is drained, then stopped.",
        "To go back after that, the former release has to start again.",
    )


async def _found(use: Context, target: Target) -> Rollout:
    """Return the rollout, if it can still be told to wait. Raises ``UserError`` (``too_late``)."""
    rollout = await lookup.rollout(use.engine, target.name)
    if rollout.steerable:
        return rollout
    raise UserError(
        f"rollout {rollout.id} is {rollout.phase}",
        code="too_late",
        hint="It ends by itself, or has ended; its page shows how.",
    )


def _plan(rollout: Rollout, verb: str, *sentences: str, skip: str = "") -> Plan:
    since = words.clock(rollout.paused_at)
    held = (f"It is paused since {since} UTC.",) if rollout.paused else ()
    return Plan(
        title=f"{verb} the {rollout.kind} of {rollout.service}",
        sentences=(*held, *sentences),
        button=verb,
        back=f"/rollouts/{rollout.id}",
        fields=(Field(name="skip", label="", kind="hidden", value=skip),) if skip else (),
    )
