"""Whether an instance that hangs is to be restarted: pure, and careful before all else.

Called by the engine for the instances of one color of one service. Rules, each for a fault of the
original agent: what serves is never restarted when nothing else does; when everything hangs at once the
cause is shared and restarting heals nothing; one goes at a time, since what all have in common is seen of one
of them first; and a budget bounds what a wrong check can do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bluegreen.domain.agent import Agent


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One instance as the agent sees it.

    ``hung``: it failed the agent's check often enough; ``doubted``: it failed the last time, and may be the
    next to hang. ``serves``: requests are given to it now, as far as the balancer knows with success.
    ``claimed``: a person or an earlier ruling deals with it; ``restarting``: by a restart that is not done.
    ``since`` is when it was found to hang (UNIX seconds).
    """

    name: str
    running: bool = True
    hung: bool = False
    doubted: bool = False
    serves: bool = True
    claimed: bool = False
    restarting: bool = False
    since: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recycle:
    """Restart this one, by the safe sequence."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Do nothing, and say so. ``seconds`` until it may be worth judging again (``None``: an event)."""

    code: str
    why: str
    hint: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Decide nothing yet: another one is being restarted, or those that still serve may hang as well."""


def judge(
    lives: Sequence[Life], agent: Agent, recycled: Iterable[float], now: float
) -> Recycle | Hold | Wait | None:
    """Return what is to be done about what hangs; ``None`` when nothing hangs."""
    hanging = sorted((life for life in lives if life.hung and not life.claimed), key=lambda one: one.since)
    if not hanging:
        return None
    if any(life.restarting for life in lives):
        return Wait()
    candidate = next((one for one in hanging if not one.serves), hanging[0])
    others = [life for life in lives if life.running and life.name != candidate.name]
    serving = [life for life in others if life.serves and not life.hung]
    if serving:
        doubted = all(life.doubted for life in serving)
        return Wait() if doubted else _within_budget(candidate, agent, recycled, now)
    if candidate.serves:
        return Hold(
            code="last_that_serves",
            why=f"{candidate.name} does not answer us, but has the requests, and no other instance serves",
            hint="Compare the agent's check with the balancer's; `bluegreen restart INSTANCE --force`.",
        )
    if others:
        return Hold(
            code="none_serves",
            why=f"{candidate.name} hangs and none of {len(others) + 1} instances serves: a shared cause?",
            hint="Look at what they all depend on. `bluegreen restart INSTANCE --force` restarts one.",
        )
    return _within_budget(candidate, agent, recycled, now)


def _within_budget(candidate: Life, agent: Agent, recycled: Iterable[float], now: float) -> Recycle | Hold:
    recent = within(recycled, agent, now)
    if len(recent) < agent.budget:
        return Recycle(name=candidate.name)
    return Hold(
        code="circuit_open",
        why=f"{candidate.name} hangs, but {len(recent)} restarts in {agent.window:g} s are enough",
        hint="Mend the release or its check, or go back: `bluegreen rollback SERVICE`.",
        seconds=recent[0] + agent.window - now,
    )


def within(recycled: Iterable[float], agent: Agent, now: float) -> tuple[float, ...]:
    """Return the restarts that still count against the budget, oldest first."""
    return tuple(sorted(at for at in recycled if at > now - agent.window))
