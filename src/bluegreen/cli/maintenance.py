"""``maintenance``: close a route with a page, and open it again."""

from __future__ import annotations

from pathlib import Path

import click

from bluegreen.cli.duration import Duration
from bluegreen.cli.lazy import verb
from bluegreen.cli.session import Session, pass_session
from bluegreen.domain.errors import UserError
from bluegreen.wire.client import path


@verb(
    "maintenance",
    "bluegreen maintenance on web --why 'new disks, back at ten'",
    "bluegreen maintenance on web --page closed.html --retry-after 10m",
    "bluegreen maintenance off web",
)
@click.argument("state", metavar="on|off", type=click.Choice(["on", "off"]))
@click.argument("route")
@click.option("--why", default="", metavar="TEXT", help="A reason, shown to users and by `status`.")
@click.option("--page", metavar="FILE", help="HTML to answer with; a plain page when absent.")
@click.option(
    "--retry-after",
    type=Duration(),
    default="60s",
    metavar="TIME",
    show_default=True,
    help="When clients are told to come back.",
)
@pass_session
def maintenance(
    session: Session, state: str, route: str, why: str, page: str | None, retry_after: float
) -> None:
    """Answer everybody on a route with 503 and a page, or end that.

    ROUTE is a route, or a balancer for all of its routes. The path that the health check asks goes on
    answering 200, so that balancers in front keep this one. Releases go on behind it.
    """
    place = path("routes", route, "maintenance")
    if state == "off":
        found = session.client.delete(place, session.scope)
        session.emit(found, f"{route}: open again")
        return
    body = {"why": why, "page": _read(page), "retry_after": max(1, round(retry_after))}
    found = session.client.put(place, body, session.scope)
    session.emit(found, f"{route}: closed for maintenance; `bluegreen maintenance off {route}` opens it")


def _read(page: str | None) -> str:
    try:
        return "" if page is None else Path(page).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"cannot read {page}: {error}", code="file_unreadable", hint="Give a text file that exists."
        ) from error
