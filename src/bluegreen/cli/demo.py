"""``demo``: hands over to :mod:`bluegreen.demo`."""

from __future__ import annotations

import click

from bluegreen.cli.lazy import verb
from bluegreen.cli.session import Session, pass_session


@verb("demo", "bluegreen demo", "bluegreen demo --runtime docker", "bluegreen demo --json > demo.json")
@click.option(
    "--runtime", type=click.Choice(["process", "docker"]), default="process", help="What runs the services."
)
@click.option("--duration", type=float, metavar="SECONDS", help="How long users are left alone.")
@click.option("--port", type=click.IntRange(1, 65535), help="The balancer's port; a free one by default.")
@click.option("--base-image", metavar="IMAGE", help="With docker: an image with Python 3 to build on.")
@pass_session
def demo(
    session: Session, runtime: str, duration: float | None, port: int | None, base_image: str | None
) -> int:
    """Show a switch under load on this machine, from nothing.

    Brings a stack up, sends it users, moves them from green to blue by Docker Cloud's two commands and
    back by `rollback`, counts what failed, and ends everything it started.
    """
    from bluegreen.demo.main import run

    return run(runtime, session.json, duration, port, base_image)
