"""``scale``, ``drain``, ``force``, ``restart``, ``ready``: an operator's hand on what runs."""

from __future__ import annotations

import click

from bluegreen.cli.duration import Duration
from bluegreen.cli.lazy import verb
from bluegreen.cli.output import span
from bluegreen.cli.session import Session, pass_session
from bluegreen.wire.client import path


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


_WHY = click.option("--why", default="", metavar="TEXT", help="A reason, shown by `ps` and `events`.")
_FOR = click.option(
    "--for", "seconds", type=Duration(), metavar="TIME", help="End it by itself after that time, e.g. `10m`."
)
_FORCE = click.option("--force", is_flag=True, help="Do it even to the last instance that serves.")


@verb("drain", "bluegreen drain shop-web-r3-1", "bluegreen drain shop-web-r3-1 --why 'memory leak' --for 10m")
@click.argument("instance")
@_WHY
@_FOR
@_FORCE
@pass_session
def drain(session: Session, instance: str, why: str, seconds: float | None, force: bool) -> None:
    """Give an instance no new requests.

    Those in flight end. Lasts, also over restarts of the controller, until `ready` or for --for.
    """
    body = {"why": why, "seconds": seconds, "force": force}
    found = session.client.post(path("instances", instance, "drain"), body)
    session.emit(found, f"{instance}: out of rotation{_until(instance, seconds)}")


@verb(
    "force",
    "bluegreen force up shop-web-r3-1 --why 'its check asks a dead database' --for 1h",
    "bluegreen force down shop-web-r3-1 --why 'wrong data' --for 1h",
)
@click.argument("how", metavar="up|down", type=click.Choice(["up", "down"]))
@click.argument("instance")
@click.option("--why", required=True, metavar="TEXT", help="A reason, shown by `ps` and `events`.")
@_FOR
@click.option("--force", is_flag=True, help="Force down even the last instance that serves.")
@pass_session
def force_(session: Session, how: str, instance: str, why: str, seconds: float | None, force: bool) -> None:
    """Put an instance in or out of rotation, whatever its checks say.

    `up` keeps it in although a check fails; `down` is `drain`. Ends with `ready`, or after --for.
    """
    body: dict[str, object] = {"why": why, "seconds": seconds}
    if how == "down":
        found = session.client.post(path("instances", instance, "drain"), body | {"force": force})
    else:
        found = session.client.post(path("instances", instance, "force-up"), body)
    session.emit(found, f"{instance}: forced {how}{_until(instance, seconds)}")


@verb("restart", "bluegreen restart shop-web-r3-1", "bluegreen restart shop-web-r3-1 --why 'memory leak'")
@click.argument("instance")
@_WHY
@_FORCE
@pass_session
def restart(session: Session, instance: str, why: str, force: bool) -> None:
    """Restart an instance so that no request notices.

    Out of rotation, drained, stopped by its signal and grace, started, and in again once it is well.
    Returns at once; `bluegreen events` tells how it goes.
    """
    found = session.client.post(path("instances", instance, "restart"), {"why": why, "force": force})
    session.emit(found, f"{instance}: out of rotation, to be restarted; see `bluegreen events`")


@verb("ready", "bluegreen ready shop-web-r3-1")
@click.argument("instance")
@pass_session
def ready(session: Session, instance: str) -> None:
    """Take back `drain` or `force`: the checks of an instance decide again."""
    found = session.client.post(path("instances", instance, "ready"))
    session.emit(found, f"{instance}: back in rotation, as soon as it is healthy")


def _until(instance: str, seconds: float | None) -> str:
    return f"; `bluegreen ready {instance}` ends that" if seconds is None else f" for {span(seconds)}"
