"""``scale``, ``drain`` and ``ready``: an operator's hand on what runs."""

from __future__ import annotations

import click

from bluegreen.cli.client import path
from bluegreen.cli.lazy import verb
from bluegreen.cli.session import Session, pass_session


@verb("scale", "bluegreen scale web 3")
@click.argument("service")
@click.argument("number", metavar="N", type=click.IntRange(min=0))
@pass_session
def scale(session: Session, service: str, number: int) -> None:
    """Have N instances of a service.

    New ones enter once they are well; those that go are drained first.
    """
    found = session.client.post(path("services", service, "scale"), {"replicas": number}, session.scope)
    session.emit(found, f"{service}: {number} instances are wanted; see `bluegreen ps --service {service}`")


@verb("drain", "bluegreen drain shop-web-r3-1", "bluegreen drain shop-web-r3-1 --why 'memory leak'")
@click.argument("instance")
@click.option("--why", default="", metavar="TEXT", help="A reason, shown by `ps`.")
@click.option("--force", is_flag=True, help="Do it even to the last instance that serves.")
@pass_session
def drain(session: Session, instance: str, why: str, force: bool) -> None:
    """Give an instance no new requests.

    Those in flight end. Lasts, also over restarts of the controller, until `ready`.
    """
    found = session.client.post(path("instances", instance, "drain"), {"why": why, "force": force})
    session.emit(found, f"{instance}: out of rotation; `bluegreen ready {instance}` puts it back")


@verb("ready", "bluegreen ready shop-web-r3-1")
@click.argument("instance")
@pass_session
def ready(session: Session, instance: str) -> None:
    """Put a drained instance back into rotation."""
    found = session.client.post(path("instances", instance, "ready"))
    session.emit(found, f"{instance}: back in rotation, as soon as it is healthy")
