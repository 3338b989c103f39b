"""Docker Cloud's verbs for containers, which are instances here (``container ps`` is ``ps``)."""

from __future__ import annotations

from collections.abc import Sequence

import click

from bluegreen.cli.lazy import verb
from bluegreen.cli.output import document_text
from bluegreen.cli.service import identifiers
from bluegreen.cli.session import Session, pass_session
from bluegreen.wire.client import path


@verb("inspect", "bluegreen container inspect shop-web-r3-1")
@identifiers
@pass_session
def inspect(session: Session, ids: Sequence[str]) -> None:
    """Print instances as their runtime reports them, as JSON."""
    found = [session.client.get(path("instances", id)) for id in ids]
    document = found[0] if len(found) == 1 else found
    session.emit(document, lambda: document_text(document))


@verb("logs", "bluegreen container logs -f shop-web-r3-1")
@identifiers
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes; Ctrl-C ends.")
@click.option("-t", "--tail", type=click.IntRange(min=0), default=300, help="Lines to begin with.")
@pass_session
def logs(session: Session, ids: Sequence[str], follow: bool, tail: int) -> None:
    """Print the output of instances."""
    from bluegreen.cli.streams import print_logs

    print_logs(session, ids, follow=follow, tail=tail)


@verb(
    "exec",
    "bluegreen exec shop-web-r3-1 cat /etc/hostname",
    "bluegreen container exec shop-web-r3-1 -- sh -c 'env | sort'",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("id")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_session
def exec_(session: Session, id: str, command: Sequence[str]) -> int:
    """Run a command inside an instance.

    Without a terminal: it gets no input, and its output comes when it has ended. Ends with the
    command's own exit code.
    """
    found = session.client.post(path("instances", id, "execute"), {"command": list(command)}, keyed=False)
    session.emit(found, str(found["output"]).rstrip("\n"))
    return int(found["exit_code"])
