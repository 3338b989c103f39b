"""``pause``, ``resume``, ``promote``: a person's word on a rollout that goes on by itself otherwise."""

from __future__ import annotations

from typing import Any

import click

from bluegreen.cli import following
from bluegreen.cli.lazy import verb
from bluegreen.cli.release import follow_options
from bluegreen.cli.session import Session, pass_session
from bluegreen.wire.client import path

_ROLLOUT = click.argument("rollout", metavar="ROLLOUT|SERVICE")


@verb("pause", "bluegreen pause 3f2a", "bluegreen pause web", "bluegreen pause web --json")
@_ROLLOUT
@pass_session
def pause(session: Session, rollout: str) -> None:
    """Let a rollout go no further on its own.

    No traffic moves to the new color beyond its present share, and the old one is kept warm; deadlines
    stand still. A release that turns bad loses its traffic all the same. ROLLOUT is its id, or the
    beginning of it; a service means its rollout under way.
    """
    held = session.client.post(path("rollouts", rollout, "pause"), query=session.scope)
    session.emit(
        {"rollout": held},
        f"rollout {held['id']} is paused: {held['phase']}\n"
        f"  → Let it go on: `bluegreen resume {held['id']}`, or skip what it waits for: "
        f"`bluegreen promote {held['id']}`. End it: `bluegreen abort {held['id']}`.",
    )


@verb("resume", "bluegreen resume 3f2a", "bluegreen resume web --detach")
@_ROLLOUT
@follow_options
@pass_session
def resume(session: Session, rollout: str, **how: Any) -> int:
    """Let a paused rollout go on where it was.

    What was left of each wait is what is left of it. ROLLOUT is its id, or the beginning of it; a service
    means its rollout under way.
    """
    going = session.client.post(path("rollouts", rollout, "resume"), query=session.scope)
    return _follow(session, going, "goes on", **how)


@verb("promote", "bluegreen promote 3f2a", "bluegreen promote web --skip bake")
@_ROLLOUT
@click.option(
    "--skip",
    type=click.Choice(["shares", "bake"]),
    help="What is meant; refused when the rollout is elsewhere.",
)
@follow_options
@pass_session
def promote(session: Session, rollout: str, skip: str | None, **how: Any) -> int:
    """Skip the rest of a canary or, once all traffic has moved, of the bake.

    The new color gets all the traffic in one step, once it is proved; or the old color is drained and
    stopped now. A paused rollout goes on. ROLLOUT is its id, or the beginning of it; a service means its
    rollout under way.
    """
    good = session.client.post(path("rollouts", rollout, "promote"), {"skip": skip}, session.scope)
    return _follow(session, good, "is promoted", **how)


def _follow(session: Session, rollout: dict[str, Any], said: str, *, detach: bool, **how: Any) -> int:
    """Follow what goes on, and return how it ended."""
    if detach:
        session.emit({"rollout": rollout}, f"rollout {rollout['id']} {said}: {rollout['phase']}")
        return 0
    ended, code = following.follow(session, [rollout], **how)
    following.explain(session, ended)
    session.emit({"rollout": ended[0]}, "" if code else ended[0]["outcome"]["message"])
    return code
