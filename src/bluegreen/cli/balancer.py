"""``balancer``: on a box of its own, carry what a controller elsewhere publishes in a registry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bluegreen.cli.files import published
from bluegreen.cli.lazy import verb
from bluegreen.cli.output import clock, line_text
from bluegreen.cli.session import Session, pass_session

if TYPE_CHECKING:
    from bluegreen.engine.follower import News


@verb(
    "balancer",
    "bluegreen balancer --from consul://10.0.0.5:8500 --stack shop",
    "bluegreen balancer --from zookeeper://10.0.0.5:2181,10.0.0.6:2181 --stack shop --publish 80=8080",
    "bluegreen balancer --from consul://10.0.0.5:8500 --stack shop --balancer nginx",
)
@click.option(
    "--certificates",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of this box's certificates (*.pem, chain and key in one file).",
)
@click.option("--binary", metavar="PATH", help="Program of the balancer, if not the default one.")
@click.option("--publish", metavar="PORT=PORT", multiple=True, help="Listen on another port than published.")
@click.option(
    "--name", metavar="BOX", help="This box's name among those that follow; default: its host name."
)
@click.option("--balancer", "kind", default="haproxy", metavar="NAME", help="haproxy (default) or nginx.")
@click.option("--stack", "stacks", metavar="STACK", multiple=True, required=True, help="May be repeated.")
@click.option("--from", "registry", metavar="URL", required=True, help="Registry: consul://HOST:PORT.")
@pass_session
def balancer(
    session: Session,
    registry: str,
    stacks: Sequence[str],
    kind: str,
    name: str | None,
    publish: Sequence[str],
    binary: str | None,
    certificates: Path | None,
) -> None:
    """Carry on this box what a controller elsewhere publishes.

    Needs neither Docker nor a controller here. Ends at SIGTERM or Ctrl-C; the balancer goes on, and the
    next call takes it over. While the registry is silent, empty or wrong, what was last good is served.
    """
    import asyncio
    import socket

    from bluegreen.lifetime import loading

    with loading():
        from bluegreen.box import BoxSettings, follow

    settings = BoxSettings(
        home=session.home / "box",
        name=name or socket.gethostname(),
        registry=registry,
        stacks=tuple(stacks),
        balancer=kind,
        options={"binary": binary} | ({"request_log": False} if kind == "haproxy" else {}),  # nobody reads it
        ports=published(publish),
        certificates=certificates,
    )
    session.say(f"following {', '.join(stacks)} from {registry}; Ctrl-C leaves the balancer running")
    asyncio.run(follow(settings, lambda news: _tell(session, news)))


def _tell(session: Session, news: News) -> None:
    document = {"kind": news.kind, "stack": news.stack or None, "message": news.message, "at": news.at}
    if session.json:
        click.echo(line_text(document))
        return
    color = {"followed": "green", "registry.believed": "green"}.get(news.kind, "yellow")
    click.echo(f"{clock(news.at)}  {click.style(f'{news.kind:18}', fg=color)} {news.stack:12} {news.message}")
