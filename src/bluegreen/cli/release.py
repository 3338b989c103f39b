"""``deploy``, ``switch``, ``rollback``, ``abort``: what begins and ends rollouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from bluegreen.cli import following
from bluegreen.cli.lazy import verb
from bluegreen.cli.output import span
from bluegreen.cli.session import Session, pass_session
from bluegreen.wire.client import path

F = TypeVar("F", bound=Callable[..., Any])


def follow_options(function: F) -> F:
    """Add the options that say how long to follow a rollout."""
    for option in (
        click.option("--abort-on-interrupt", is_flag=True, help="At Ctrl-C, abort the rollout."),
        click.option(
            "--until",
            type=click.Choice(["settled", "final"]),
            default="settled",
            help="Follow until users are served (settled), or to the end of the bake (final).",
        ),
        click.option("--detach", is_flag=True, help="Return once it is begun."),
        click.option("--sync", is_flag=True, hidden=True, expose_value=False, help="The default: follow it."),
    ):
        function = option(function)
    return function


@verb(
    "deploy",
    "bluegreen deploy web --image shop/web:2.1",
    "bluegreen deploy web -e FEATURE=on --until final",
    "bluegreen deploy web --detach --json",
)
@click.argument("service")
@click.option("--image", metavar="REF", help="The image of the new release.")
@click.option("-e", "--env", metavar="NAME=VALUE", multiple=True, help="Set a variable; may be repeated.")
@follow_options
@pass_session
def deploy(session: Session, service: str, image: str | None, env: Sequence[str], **how: Any) -> int:
    """Roll out a new release of a service.

    Starts it in the free color, proves it, moves all traffic in one step, and keeps the old color
    warm. On failure no traffic has moved, or it is moved back, and the reason is shown.
    """
    from bluegreen.cli.files import environment

    body = {"image": image, "environment": environment(env)}
    answer = session.client.post(path("services", service, "deploy"), body, session.scope)
    return conclude(session, service, answer, **how)


@verb(
    "switch", "bluegreen switch lbx webx-blue", "bluegreen switch web green", "bluegreen switch shop/web blue"
)
@click.argument("route")
@click.argument("target")
@follow_options
@pass_session
def switch(session: Session, route: str, target: str, **how: Any) -> int:
    """Move the traffic of a route to a target that runs.

    ROUTE is a route or a balancer; TARGET a service, or `blue` or `green`. The target is proved
    healthy first; all traffic moves in one step; nothing is stopped.
    """
    answer = session.client.post(path("routes", route, "switch"), {"target": target}, session.scope)
    return conclude(session, route, answer, nothing=f"{route}: {target} has the traffic already", **how)


@verb("rollback", "bluegreen rollback web", "bluegreen rollback web --to 3", "bluegreen rollback lbx")
@click.argument("name", metavar="SERVICE|ROUTE")
@click.option(
    "--to", type=click.IntRange(min=1), metavar="N", help="The number of the release to go back to."
)
@follow_options
@pass_session
def rollback(session: Session, name: str, to: int | None, **how: Any) -> int:
    """Go back to the release or color before.

    One switch while the old color is warm; afterwards the former release is rolled out again.
    """
    answer = session.client.post(path("services", name, "rollback"), {"to": to}, session.scope)
    return conclude(session, name, answer, **how)


@verb("abort", "bluegreen abort 3f2a", "bluegreen abort 3f2a --detach")
@click.argument("rollout")
@follow_options
@pass_session
def abort(session: Session, rollout: str, detach: bool, **how: Any) -> int:
    """End a rollout: clean up, or go back.

    ROLLOUT is its id, or the beginning of it. Before traffic moved the new color is stopped;
    afterwards the traffic is moved back first.
    """
    begun = session.client.post(path("rollouts", rollout, "abort"))
    if detach:
        session.emit({"rollout": begun}, f"rollout {begun['id']} is being aborted")
        return 0
    how["until"] = "final"
    (ended,), _ = following.follow(session, [begun], **how)
    told = f"rollout {ended['id']}: {ended['outcome']['message']}"
    session.emit({"rollout": ended}, told)
    return 0 if ended["phase"] in {"aborted", "reverted"} else int(ended["outcome"]["exit_code"])


def conclude(
    session: Session,
    name: str,
    answer: dict[str, Any],
    *,
    detach: bool,
    nothing: str = "",
    **how: Any,
) -> int:
    """Follow what a command began, print its outcome and return the exit code."""
    begun = answer["rollout"]
    if begun is None:
        session.emit(answer, nothing or f"{name}: nothing to do")
        return 0
    if detach:
        told = f"rollout {begun['id']} begun; follow it: `bluegreen status --watch`"
        session.emit(answer, told)
        return 0
    ended, code = following.follow(session, [begun], **how)
    following.explain(session, ended)
    session.emit({"rollout": ended[0]}, "" if code else _told(begun, ended[0]))
    return code


def _told(begun: dict[str, Any], ended: dict[str, Any]) -> str:
    """Return the last line of a rollout that went well."""
    back = ended["phase"] == "reverted"
    number = ended.get("source_release") if back else ended["release"]
    release = f" (release {number})" if number else ""
    moved = ended["shifted_at"] - begun["since"]
    took = f" after {span(moved)}" if not back and moved > 0 else ""
    return f"{ended['outcome']['message']}{release}{took}"
