"""Docker Cloud's verbs for stacks (``stack up`` is ``up``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from bluegreen.cli.down import remove
from bluegreen.cli.lazy import verb
from bluegreen.cli.output import document_text, moment, table
from bluegreen.cli.release import follow_options
from bluegreen.cli.service import follow_all, for_each, forced, identifiers, sync
from bluegreen.cli.session import Session, pass_session
from bluegreen.wire.client import path


@verb("ls", "bluegreen stack ls", "bluegreen stack ls -q")
@click.option("-q", "--quiet", "names", is_flag=True, help="Print names only.")
@pass_session
def ls(session: Session, names: bool) -> None:
    """List stacks."""
    found = session.client.get("/v1/stacks")
    short = "\n".join(stack["name"] for stack in found)
    session.emit(found, short if names else lambda: _text(found))


def _text(stacks: Sequence[dict[str, Any]]) -> str:
    rows = [
        (s["name"], ", ".join(s["services"]), ", ".join(s["balancers"]) or "-", moment(s["changed_at"]))
        for s in stacks
    ]
    return table(
        ("stack", "services", "balancers", "changed"), rows, empty="no stack; begin with `bluegreen up`"
    )


@verb("inspect", "bluegreen stack inspect shop")
@identifiers
@pass_session
def inspect(session: Session, ids: Sequence[str]) -> None:
    """Print stacks as they are wanted, as JSON."""
    found = [session.client.get(path("stacks", id)) for id in ids]
    document = found[0] if len(found) == 1 else found
    session.emit(document, lambda: document_text(document))


@verb("export", "bluegreen stack export shop", "bluegreen stack export shop -f shop.json")
@click.argument("id")
@click.option("-f", "--file", type=click.File("w", lazy=True), help="Write it to this file.")
@pass_session
def export(session: Session, id: str, file: Any) -> None:
    """Print a stack's definition.

    As JSON in the model of the API (PUT /v1/stacks/NAME takes it back), after all changes by
    `service set`, `deploy` and `switch`.
    """
    found = document_text(session.client.get(path("stacks", id)))
    click.echo(found, file=file)


@verb("start", "bluegreen stack start shop")
@identifiers
@follow_options
@pass_session
def start(session: Session, ids: Sequence[str], **how: Any) -> int:
    """Start every service of stacks."""
    return _roll(session, _services(session, ids), "start", how)


@verb("redeploy", "bluegreen stack redeploy shop")
@identifiers
@click.option("--not-reuse-volumes", is_flag=True, hidden=True, expose_value=False)
@follow_options
@pass_session
def redeploy(session: Session, ids: Sequence[str], **how: Any) -> int:
    """Release every service of stacks anew.

    One after the other is begun, all are followed. Balancers keep their listeners.
    """
    return _roll(session, _services(session, ids), "redeploy", how)


@verb("stop", "bluegreen stack stop shop --force")
@identifiers
@forced
@sync
@pass_session
def stop(session: Session, ids: Sequence[str], force: bool) -> None:
    """Stop every service of stacks, and keep them.

    Refused for services with live traffic, unless forced.
    """
    for_each(session, _services(session, ids), "stop", {"force": force}, "{}: is being stopped")


@verb("terminate", "bluegreen stack terminate shop --yes")
@identifiers
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@sync
@pass_session
def terminate(session: Session, ids: Sequence[str], yes: bool) -> None:
    """Remove stacks.

    The same as `down NAME`.
    """
    for id in ids:
        remove(session, id, yes)
    session.emit({"removed": list(ids)}, "\n".join(f"stack {id} is removed" for id in ids))


def _services(session: Session, ids: Sequence[str]) -> list[str]:
    """Return the full names of all services of the stacks."""
    return [f"{s['name']}.{id}" for id in ids for s in session.client.get(path("stacks", id))["services"]]


def _roll(session: Session, names: Sequence[str], what: str, how: dict[str, Any]) -> int:
    answers = [session.client.post(path("services", name, what)) for name in names]
    return follow_all(session, names, answers, **how)
