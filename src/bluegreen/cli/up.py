"""``up`` and ``plan``: a stack file becomes what is wanted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from bluegreen.cli import controller, files, following
from bluegreen.cli.lazy import verb
from bluegreen.cli.output import table
from bluegreen.cli.session import Session, pass_session
from bluegreen.wire.client import path

F = TypeVar("F", bound=Callable[..., Any])

_SIGNS = {
    "create": click.style("+", fg="green"),
    "deploy": click.style("~", fg="yellow"),
    "scale": click.style("↕", fg="yellow"),
    "remove": click.style("-", fg="red"),
    "orphan": click.style("?", fg="yellow"),
    "balance": click.style("+", fg="green"),
    "keep": "=",
}
_TOUCHES_USERS = {"deploy", "remove"}


def stack_options(function: F) -> F:
    """Add the options that say which stack is meant."""
    for option in (
        click.option("--prune", is_flag=True, help="Also remove services that left the file."),
        click.option(
            "--publish",
            metavar="PORT=PORT",
            multiple=True,
            help="Use another port than the file says: 80=18080.",
        ),
        click.option("-n", "--name", metavar="NAME", help="Name of the stack."),
        click.option(
            "-f", "--file", "paths", metavar="FILE", multiple=True, help="Stack file; may be repeated."
        ),
    ):
        function = option(function)
    return function


@verb(
    "up",
    "bluegreen up",
    "bluegreen up -f examples/01-devops-challenge/stack.yml --publish 80=18080",
    "bluegreen up -f stack.yml -f stack.override.yml --yes",
)
@stack_options
@click.option(
    "--runtime",
    metavar="NAME",
    help="What runs instances (auto, docker, process), if a controller has to be started.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--detach", is_flag=True, help="Return once the rollouts are begun.")
@click.option("--sync", is_flag=True, hidden=True, expose_value=False, help="The default: wait.")
@pass_session
def up(
    session: Session,
    paths: Sequence[str],
    name: str | None,
    publish: Sequence[str],
    prune: bool,
    runtime: str | None,
    yes: bool,
    detach: bool,
) -> int:
    """Bring a stack to what its file says.

    Starts a controller in the background when none answers. Shows what changes, then follows every
    rollout until users are served. Traffic between declared colors stays where it is. When somebody
    else changes the stack after the plan was shown, nothing is done.
    """
    spec, problems = files.load(session, paths, name, publish)
    controller.ensure(session, ["--runtime", runtime] if runtime else [])
    body, where = files.document(spec), path("stacks", spec.name)
    planned, seen = session.client.plan(f"{where}/plan", body, {"prune": prune})
    session.say(plan_text(spec.name, planned))
    if not _agreed(planned, yes):
        raise click.Abort
    unchanged = {"If-Match": seen} if seen else None
    answer = session.client.put(where, body, {"prune": prune}, headers=unchanged)
    rollouts, code = answer["rollouts"], 0
    if rollouts and not detach:
        rollouts, code = following.follow(session, rollouts)
        following.explain(session, rollouts)
    found = {
        "stack": spec.name,
        "changes": answer["changes"],
        "rollouts": rollouts,
        "problems": [files.problem_document(p) for p in problems],
    }
    session.emit(found, lambda: _summary(session, spec.name, len(rollouts), code, detach))
    return code


@verb("plan", "bluegreen plan", "bluegreen plan -f stack.yml --prune --json")
@stack_options
@pass_session
def plan(
    session: Session, paths: Sequence[str], name: str | None, publish: Sequence[str], prune: bool
) -> None:
    """Show what `up` would change, and change nothing."""
    spec, problems = files.load(session, paths, name, publish)
    where = path("stacks", spec.name, "plan")
    changes = session.client.post(where, files.document(spec), {"prune": prune})
    found = {
        "stack": spec.name,
        "changes": changes,
        "problems": [files.problem_document(p) for p in problems],
    }
    session.emit(found, lambda: plan_text(spec.name, changes))


def plan_text(stack: str, changes: Sequence[dict[str, Any]]) -> str:
    rows = [(_SIGNS.get(c["action"], " "), c["service"], c["action"], c["detail"]) for c in changes]
    return f"stack {stack}\n" + table(("", "service", "action", "detail"), rows, empty="nothing to do")


def _agreed(changes: Sequence[dict[str, Any]], yes: bool) -> bool:
    """Ask a person, where there is one, before anything that users could notice."""
    if yes or not sys.stdin.isatty() or not _TOUCHES_USERS & {c["action"] for c in changes}:
        return True
    return click.confirm("Go on?", default=True, err=True)


def _summary(session: Session, stack: str, begun: int, code: int, detach: bool) -> str:
    if code:
        return ""
    if detach and begun:
        return f"stack {stack}: {begun} rollouts begun; follow them: `bluegreen status --watch`"
    routes = session.client.get("/v1/routes", {"stack": stack})
    live = "".join(f"\n  {r['name']}: {r['live'] or 'nobody'} on port {r['port']}" for r in routes)
    return f"stack {stack} is up{live}"
