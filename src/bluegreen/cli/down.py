"""``down``: a stack goes, and with ``--stop-controller`` the controller too."""

from __future__ import annotations

import sys

import click

from bluegreen.cli import controller
from bluegreen.cli.lazy import verb
from bluegreen.cli.session import Session, pass_session
from bluegreen.domain.errors import UserError
from bluegreen.wire.client import path


@verb("down", "bluegreen down", "bluegreen down shop --yes", "bluegreen down --stop-controller --yes")
@click.argument("name", required=False)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--stop-controller", is_flag=True, help="End the controller afterwards.")
@pass_session
def down(session: Session, name: str | None, yes: bool, stop_controller: bool) -> None:
    """Remove a stack: its listeners, then its instances.

    Without NAME the only stack there is. Its history stays. `--stop-controller` also ends the
    controller, even when there is no stack left.
    """
    stack = _chosen(session, name or session.stack, stop_controller)
    if stack is not None:
        remove(session, stack, yes)
    pid = controller.stop(session) if stop_controller else None
    done = [f"stack {stack} is removed"] if stack else []
    done += [f"the controller (process {pid}) has ended"] if pid else []
    session.emit({"removed": stack, "stopped_controller": pid}, "\n".join(done))


def remove(session: Session, stack: str, yes: bool) -> None:
    """Remove one stack, after asking a person where there is one."""
    asks = not yes and sys.stdin.isatty()
    if asks and not click.confirm(f"Remove stack {stack}? Its users lose it.", default=False, err=True):
        raise click.Abort
    session.client.delete(path("stacks", stack))


def _chosen(session: Session, name: str | None, may_be_none: bool) -> str | None:
    if name is not None:
        return name
    names = [stack["name"] for stack in session.client.get("/v1/stacks")]
    if len(names) == 1:
        return str(names[0])
    if not names and may_be_none:
        return None
    raise UserError(
        f"there are {len(names)} stacks: say which" if names else "there is no stack",
        code="ambiguous" if names else "unknown_stack",
        evidence=tuple(("stack", n) for n in names),
        hint=f"`bluegreen down {names[0]}`" if names else "Nothing needs to be done.",
    )
