"""Docker Cloud's verbs for services: ``redeploy``, ``ps``, ``scale``, ``start``, ``stop`` and so on.

Each takes one identifier or many: a name, or ``name.stack``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from bluegreen.cli import following
from bluegreen.cli.lazy import verb
from bluegreen.cli.output import document_text, table
from bluegreen.cli.release import follow_options
from bluegreen.cli.session import Session, pass_session
from bluegreen.cli.status import state_text
from bluegreen.domain.errors import UserError
from bluegreen.wire.client import path

identifiers = click.argument("ids", metavar="ID...", nargs=-1, required=True)
sync = click.option("--sync", is_flag=True, hidden=True, expose_value=False, help="The default: wait.")
forced = click.option("--force", is_flag=True, help="Do it even to what has live traffic.")


@verb("redeploy", "bluegreen service redeploy lbx", "bluegreen service redeploy web db --detach")
@identifiers
@click.option("--not-reuse-volumes", is_flag=True, hidden=True, expose_value=False)
@follow_options
@pass_session
def redeploy(session: Session, ids: Sequence[str], **how: Any) -> int:
    """Converge to the definition, without an outage.

    A balancer moves its traffic to what it is linked to, once that is proved healthy; its listener
    stays open. A service gets a new release in the other color. Blocks until users are served.
    """
    answers = [session.client.post(path("services", id, "redeploy"), None, session.scope) for id in ids]
    return follow_all(session, ids, answers, **how)


def follow_all(
    session: Session, ids: Sequence[str], answers: Sequence[Any], *, detach: bool, **how: Any
) -> int:
    """Follow what several commands began and print their outcomes, in order."""
    begun = {id: a["rollout"] for id, a in zip(ids, answers, strict=True) if a["rollout"] is not None}
    idle = [f"{id}: nothing to do, it is as it is defined" for id in ids if id not in begun]
    if detach or not begun:
        told = [f"{id}: rollout {r['id']} begun" for id, r in begun.items()]
        session.emit({"rollouts": list(begun.values())}, "\n".join([*told, *idle]))
        return 0
    ended, code = following.follow(session, list(begun.values()), **how)
    following.explain(session, ended)
    told = [r["outcome"]["message"] for r in ended if not r["outcome"]["exit_code"]]
    session.emit({"rollouts": ended}, "\n".join([*told, *idle]))
    return code


@verb("ps", "bluegreen service ps", "bluegreen service ps -s Running", "bluegreen service ps -q --stack shop")
@click.option(
    "-s", "--status", "state", metavar="STATE", help="Services in this state only, as 'Partly running'."
)
@click.option("-q", "--quiet", "names", is_flag=True, help="Print names only.")
@pass_session
def ps(session: Session, state: str | None, names: bool) -> None:
    """List services and balancers; (*) marks those not synchronized.

    Those must be redeployed to have their changes applied.
    """
    rows = [row for row in _rows(session) if state is None or row["state"].lower() == state.lower()]
    short = "\n".join(row["name"] for row in rows)
    session.emit(rows, short if names else lambda: _text(rows))


def _rows(session: Session) -> list[dict[str, Any]]:
    """Return one row per service and one per balancer."""
    found = session.client.get("/v1/status", session.scope)
    keys = ("name", "stack", "state", "image", "replicas", "running", "synchronized")
    rows = [{key: service[key] for key in keys} for service in found["services"]]
    balancers: dict[tuple[str, str], dict[str, Any]] = {}
    for route in found["routes"]:
        row = balancers.setdefault(
            (route["stack"], route["balancer"]),
            {
                "name": route["balancer"],
                "stack": route["stack"],
                "state": "Not running" if found["balancer"] else "Running",
                "image": "(balancer)",
                "replicas": 1,
                "running": 0 if found["balancer"] else 1,
                "synchronized": True,
            },
        )
        row["synchronized"] = row["synchronized"] and route["synchronized"]
    return [*rows, *balancers.values()]


def _text(rows: Sequence[dict[str, Any]]) -> str:
    cells = [
        (
            row["name"],
            row["stack"],
            state_text(row["state"]) + ("" if row["synchronized"] else " (*)"),
            f"{row['running']}/{row['replicas']}",
            row["image"],
        )
        for row in rows
    ]
    told = table(("name", "stack", "status", "#containers", "image"), cells, empty="no service")
    if all(row["synchronized"] for row in rows):
        return told
    return f"{told}\n\n(*) must be redeployed to have its configuration changes applied"


@verb("scale", "bluegreen service scale web 3", "bluegreen service scale web worker 2")
@identifiers
@click.argument("number", metavar="N", type=click.IntRange(min=0))
@sync
@pass_session
def scale(session: Session, ids: Sequence[str], number: int) -> None:
    """Have N instances of each service."""
    for_each(session, ids, "scale", {"replicas": number}, f"{{}}: {number} instances are wanted")


@verb("start", "bluegreen service start web")
@identifiers
@follow_options
@pass_session
def start(session: Session, ids: Sequence[str], **how: Any) -> int:
    """Start stopped or terminated services."""
    answers = [session.client.post(path("services", id, "start"), None, session.scope) for id in ids]
    return follow_all(session, ids, answers, **how)


@verb("stop", "bluegreen service stop webx-green", "bluegreen service stop web --force")
@identifiers
@forced
@sync
@pass_session
def stop(session: Session, ids: Sequence[str], force: bool) -> None:
    """Stop every instance of services, and keep them.

    Refused for what has live traffic, unless forced.
    """
    for_each(session, ids, "stop", {"force": force}, "{}: is being stopped")


@verb("terminate", "bluegreen service terminate webx-green")
@identifiers
@forced
@sync
@pass_session
def terminate(session: Session, ids: Sequence[str], force: bool) -> None:
    """Remove every instance of services.

    The definition stays; `service start` brings it back. Refused for what has live traffic, unless
    forced.
    """
    for_each(session, ids, "terminate", {"force": force}, "{}: is being removed")


@verb("inspect", "bluegreen service inspect lbx", "bluegreen service inspect web db")
@identifiers
@pass_session
def inspect(session: Session, ids: Sequence[str]) -> None:
    """Print all that is known of services, as JSON."""
    found = [session.client.get(path("services", id), session.scope) for id in ids]
    document = found[0] if len(found) == 1 else found
    session.emit(document, lambda: document_text(document))


@verb("logs", "bluegreen service logs web", "bluegreen service logs -f -t 20 web")
@identifiers
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes; Ctrl-C ends.")
@click.option(
    "-t", "--tail", type=click.IntRange(min=0), default=300, show_default=True, help="Lines to begin with."
)
@pass_session
def logs(session: Session, ids: Sequence[str], follow: bool, tail: int) -> None:
    """Print the output of services."""
    from bluegreen.cli.streams import print_logs

    print_logs(session, ids, follow=follow, tail=tail)


def for_each(session: Session, ids: Sequence[str], what: str, body: Any, told: str) -> None:
    """Send one command to each service; go on past those that refuse, then raise the first refusal."""
    done, errors = [], []
    for id in ids:
        try:
            done.append(session.client.post(path("services", id, what), body, session.scope))
            session.say(told.format(id))
        except UserError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    session.emit(done[0] if len(done) == 1 else done)
