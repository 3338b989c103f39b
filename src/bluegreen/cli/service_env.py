"""``service env``: Docker Cloud's verbs for the environment a service is to have.

Each changes the definition only, until the service is redeployed (``--redeploy`` does it at once).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from bluegreen.cli.lazy import verb
from bluegreen.cli.output import table
from bluegreen.cli.release import follow_options
from bluegreen.cli.service import follow_all, identifiers
from bluegreen.cli.service_set import tell
from bluegreen.cli.session import Session, pass_session
from bluegreen.domain.errors import UserError
from bluegreen.wire.client import path

F = TypeVar("F", bound=Callable[..., Any])


def _change_options(function: F) -> F:
    for option in (
        click.option("--redeploy", is_flag=True, help="Redeploy at once, and wait until users are served."),
        click.option("--env-file", metavar="FILE", multiple=True, help="The variables of a file."),
        click.option("-e", "--env", metavar="NAME=VALUE", multiple=True, help="A variable; may be repeated."),
    ):
        function = option(function)
    return function


@verb("ls", "bluegreen service env ls web", "bluegreen service env ls -q web")
@click.argument("id")
@click.option("-q", "--quiet", "names", is_flag=True, help="Print names only.")
@click.option("--user", is_flag=True, hidden=True, expose_value=False)
@pass_session
def ls(session: Session, id: str, names: bool) -> None:
    """Show the environment a service is to have."""
    found = session.client.get(path("services", id, "environment"), session.scope)
    rows = sorted(found.items())
    short = "\n".join(name for name, _ in rows)
    session.emit(found, short if names else lambda: table(("name", "value"), rows, empty="no variable"))


@verb("add", "bluegreen service env add web -e FEATURE=on")
@identifiers
@_change_options
@follow_options
@pass_session
def add(session: Session, ids: Sequence[str], **how: Any) -> int:
    """Add variables that are not there yet.

    Refused for one that is there: `update` changes it.
    """
    for id in ids:
        there = session.client.get(path("services", id, "environment"), session.scope)
        known = sorted(set(there) & set(_values(how)))
        if known:
            raise UserError(
                f"{id} has {', '.join(known)} already",
                code="variable_exists",
                hint=f"Change it: `bluegreen service env update {id} -e {known[0]}=VALUE`.",
            )
    return _change(session, ids, {"put": _values(how)}, how)


@verb("set", "bluegreen service env set web -e FEATURE=on -e LEVEL=3")
@identifiers
@_change_options
@follow_options
@pass_session
def set_(session: Session, ids: Sequence[str], **how: Any) -> int:
    """Replace all variables."""
    return _change(session, ids, {"put": _values(how), "replace_all": True}, how)


@verb("update", "bluegreen service env update web -e FEATURE=off --redeploy")
@identifiers
@_change_options
@follow_options
@pass_session
def update(session: Session, ids: Sequence[str], **how: Any) -> int:
    """Change variables that are there, add others."""
    return _change(session, ids, {"put": _values(how)}, how)


@verb("rm", "bluegreen service env rm web -n FEATURE")
@identifiers
@click.option(
    "-n", "--name", "names", metavar="NAME", multiple=True, required=True, help="A variable to remove."
)
@click.option("--redeploy", is_flag=True, help="Redeploy at once, and wait until users are served.")
@follow_options
@pass_session
def rm(session: Session, ids: Sequence[str], names: Sequence[str], **how: Any) -> int:
    """Remove variables."""
    return _change(session, ids, {"drop": list(names)}, how)


def _values(how: dict[str, Any]) -> dict[str, str]:
    from bluegreen.cli.files import environment

    values = environment(how["env"], how["env_file"])
    if not values:
        raise UserError("no variable is given", code="usage", hint="Give -e NAME=VALUE or --env-file FILE.")
    return values


def _change(session: Session, ids: Sequence[str], body: dict[str, Any], how: dict[str, Any]) -> int:
    for id in ids:
        session.client.patch(path("services", id, "environment"), body, session.scope)
    if not how["redeploy"]:
        return tell(session, ids, needs_redeploy=True)
    answers = [session.client.post(path("services", id, "redeploy"), None, session.scope) for id in ids]
    rest = {key: how[key] for key in ("detach", "until", "abort_on_interrupt")}
    return follow_all(session, ids, answers, **rest)
