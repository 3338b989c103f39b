"""``box``: the balancers on other boxes."""

from __future__ import annotations

import click

from bluegreen.cli.lazy import verb
from bluegreen.cli.session import Session, pass_session
from bluegreen.cli.status import boxes_text
from bluegreen.wire.client import path


@verb("ls", "bluegreen box ls", "bluegreen box ls --json")
@pass_session
def ls(session: Session) -> None:
    """List the balancers on other boxes: who follows, who is missed."""
    found = session.client.get("/v1/boxes", session.scope)
    none = "no balancer follows; start one there: `bluegreen balancer --from REGISTRY --stack STACK`"
    session.emit(found, lambda: boxes_text(found) if found else none)


@verb("forget", "bluegreen box forget north", "bluegreen box forget north --stack shop")
@click.argument("name")
@pass_session
def forget(session: Session, name: str) -> None:
    """Miss a box no more that is gone for good.

    A box that followed and is not heard of may still lead users to an old color, so that none is ended.
    Forget it once its balancer has ended.
    """
    found = session.client.delete(path("boxes", name), session.scope)
    session.emit(found, f"{name}: forgotten in {', '.join(found['stacks'])}")
