"""``logs`` and ``events``: what goes on, as lines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any

import click

from bluegreen.cli.lazy import verb
from bluegreen.cli.output import line_text, moment
from bluegreen.cli.session import Session, pass_session
from bluegreen.domain.errors import BluegreenError, Temporary, UserError
from bluegreen.wire.client import Client, path

RECONNECT = 30.0
"""Seconds for which ``events -f`` looks for a lost controller."""

Line = tuple[str, str]
"""(instance, what it wrote)."""


@verb("logs", "bluegreen logs web", "bluegreen logs -f --tail 20 web", "bluegreen logs shop-web-r3-1")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes; Ctrl-C ends.")
@click.option(
    "-t", "--tail", type=click.IntRange(min=0), default=100, help="Lines to begin with, per instance."
)
@pass_session
def logs(session: Session, names: Sequence[str], follow: bool, tail: int) -> None:
    """Print the output of a service or an instance.

    Of several instances each line begins with the name of its own.
    """
    print_logs(session, names, follow=follow, tail=tail)


def print_logs(session: Session, names: Sequence[str], *, follow: bool, tail: int) -> None:
    """Print the output of services or instances, or of both. With ``--json`` one object per line."""
    instances = list(dict.fromkeys(i for name in names for i in _instances(session, name)))
    query = {"tail": tail, "follow": follow}
    for instance, text in _lines(session.client, instances, query):
        if session.json:
            click.echo(line_text({"instance": instance, "line": text}))
        else:
            click.echo(text if len(instances) == 1 else f"{click.style(instance, dim=True)}  {text}")


def _instances(session: Session, name: str) -> list[str]:
    """Return the instances meant by ``name``. Raises ``UserError`` (``unknown_name``)."""
    found = session.client.get("/v1/instances", session.scope)
    own = [i["name"] for i in found if name in (i["name"], i["service"], f"{i['service']}.{i['stack']}")]
    if own:
        return own
    session.client.get(path("services", name), session.scope)  # says what is wrong with the name
    raise UserError(
        f"{name} has no instance, so there is no output",
        code="no_instance",
        hint="A balancer tells in `bluegreen events`; `bluegreen service start` starts a stopped service.",
    )


def _lines(client: Client, instances: Sequence[str], query: dict[str, Any]) -> Iterator[Line]:
    """Yield the lines of all instances; those of one after those of the other unless they follow."""
    if not query["follow"] or len(instances) == 1:
        for name in instances:
            for text in client.lines(path("instances", name, "logs"), query):
                yield name, text
        return
    queue: SimpleQueue[Line | str] = SimpleQueue()
    for name in instances:
        threading.Thread(target=_pump, args=(client, name, query, queue), daemon=True).start()
    open_names = set(instances)
    while open_names:
        found = queue.get()
        if isinstance(found, str):
            open_names.discard(found)
        else:
            yield found


def _pump(client: Client, name: str, query: dict[str, Any], queue: SimpleQueue[Line | str]) -> None:
    try:
        for text in client.lines(path("instances", name, "logs"), query):
            queue.put((name, text))
    except BluegreenError as error:
        queue.put((name, f"(no more output: {error.message})"))
    finally:
        queue.put(name)


@verb(
    "events",
    "bluegreen events",
    "bluegreen events -f --stack shop",
    "bluegreen events -f --json | jq .message",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens; Ctrl-C ends.")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=100, help="Events to begin with.")
@click.option("--service", metavar="NAME", help="Events of this service only.")
@click.option("--rollout", metavar="ID", help="Events of this rollout only.")
@pass_session
def events(session: Session, follow: bool, limit: int, service: str | None, rollout: str | None) -> None:
    """Print what happened, oldest first.

    With --json one object per line. With -f it goes on over a restart of the controller.
    """
    query = {**session.scope, "service": service, "rollout": rollout, "limit": limit}
    found = session.client.get("/v1/events", query)
    for event in found:
        _print(session, event)
    if follow:
        last = found[-1]["id"] if found else 0
        fits = (lambda event: event["rollout"] == rollout) if rollout else None
        _follow(session, {**session.scope, "service": service}, last, fits)


def _follow(session: Session, query: dict[str, Any], last: int, fits: Callable[[Any], bool] | None) -> None:
    """Print events after ``last`` for ever. Raises ``Temporary`` once the controller stays away."""
    lost_at = 0.0
    while True:
        try:
            for message in session.client.stream("/v1/events/stream", query, after=last):
                last = message.id or last
                if fits is None or fits(message.data):
                    _print(session, message.data)
            lost_at = 0.0  # it was open until now, however quiet it was
        except Temporary:
            if lost_at and time.monotonic() - lost_at > RECONNECT:
                raise
        if not lost_at:
            lost_at = time.monotonic()
            session.say("the controller does not answer; traffic is not affected. Trying to reach it again …")
        time.sleep(0.2)


def _print(session: Session, event: dict[str, Any]) -> None:
    if session.json:
        click.echo(line_text(event))
        return
    color = {"error": "red", "warning": "yellow"}.get(event["level"])
    where = "/".join(part for part in (event["stack"], event["service"]) if part)
    click.echo(f"{moment(event['at'])}  {where}  {click.style(event['message'], fg=color)}")
