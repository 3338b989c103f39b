"""``lock`` and ``unlock``: nothing new is released for now, by a person's word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from bluegreen.cli.duration import Duration
from bluegreen.cli.lazy import verb
from bluegreen.cli.session import Session, pass_session
from bluegreen.cli.status import lock_subject, locks_text
from bluegreen.wire.client import path


@verb(
    "lock",
    "bluegreen lock web --why 'the sale runs until Monday'",
    "bluegreen lock shop --why 'database is being moved' --for 2h",
    "bluegreen lock",
)
@click.argument("name", metavar="[SERVICE|STACK]", required=False)
@click.option("--why", default="", metavar="TEXT", help="A reason, shown to whoever is refused.")
@click.option("--for", "seconds", type=Duration(), metavar="TIME", help="How long; else until `unlock`.")
@pass_session
def lock(session: Session, name: str | None, why: str, seconds: float | None) -> None:
    """Let nothing new be released for now, and say why.

    Refused are deploys, switches, changes of a definition and what takes a service away, whoever asks. To
    go back is possible all the same, and what an incident takes: rollback, abort, scale, drain, restart,
    maintenance. A rollout under way goes on: hold it with `pause`. A name that is a stack's means all of it.
    Without a name: list the locks.
    """
    if name is None:
        found = session.client.get("/v1/locks", session.scope)
        session.emit(found, lambda: locks_text(found) if found else "nothing is locked")
        return
    where, scope = _place(session, name)
    given = session.client.put(where, {"why": why, "seconds": seconds}, scope)
    session.emit(given, f"{lock_subject(given)}: locked; `bluegreen unlock {name}` takes it away")


@verb("unlock", "bluegreen unlock web", "bluegreen unlock shop")
@click.argument("name", metavar="SERVICE|STACK")
@pass_session
def unlock(session: Session, name: str) -> None:
    """Take a lock away, whoever gave it."""
    where, scope = _place(session, name)
    taken = session.client.delete(where, scope)
    session.emit(taken, f"{lock_subject(taken)}: unlocked (it was {taken['who']}'s: {taken['why']})")


def _place(session: Session, name: str) -> tuple[str, Mapping[str, Any]]:
    """Return where the lock of ``name`` is: of a stack, if one is called so, else of a service."""
    within = session.scope.get("stack")
    stacks = {within} if within else {stack["name"] for stack in session.client.get("/v1/stacks")}
    if name in stacks:
        return path("stacks", name, "lock"), {}
    return path("services", name, "lock"), session.scope
