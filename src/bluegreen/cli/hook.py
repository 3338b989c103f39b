"""``hook``: what a CI system may release that can sign a message and hold no token."""

from __future__ import annotations

from typing import Any

import click

from bluegreen.cli.lazy import verb
from bluegreen.cli.output import moment, table
from bluegreen.cli.session import Session, pass_session
from bluegreen.wire.client import path


@verb(
    "create",
    "bluegreen hook create github --service web.shop",
    "bluegreen hook create github --service web --image-pattern 'shop/web:1.*' --variable GIT_SHA",
    "bluegreen hook create ci --service web -q | gh secret set BLUEGREEN_HOOK_SECRET",
)
@click.argument("name")
@click.option("--service", required=True, metavar="SERVICE[.STACK]", help="The one service it may release.")
@click.option(
    "--image-pattern",
    "images",
    multiple=True,
    metavar="PATTERN",
    help="Images it may release, `*` for any text; may be repeated. Without it: those of the service's "
    "repository.",
)
@click.option(
    "--variable",
    "variables",
    multiple=True,
    metavar="NAME",
    help="A variable of the environment that it may set; may be repeated. Without it: none.",
)
@pass_session
def create(
    session: Session, name: str, service: str, images: tuple[str, ...], variables: tuple[str, ...]
) -> None:
    """Make a deploy hook, and print its secret this once.

    Whoever has the secret may release that service, by messages signed as Standard Webhooks says.
    """
    body = {"name": name, "service": service, "images": list(images), "variables": list(variables)}
    found = session.client.post("/v1/hooks", body, session.scope)
    session.say(f"POST /v1/hooks/{name} releases {_what(found['hook'])}. Its secret is shown once:")
    session.emit(found, found["secret"])


@verb("ls", "bluegreen hook ls", "bluegreen hook ls --json")
@pass_session
def ls(session: Session) -> None:
    """List deploy hooks, without their secrets."""
    found = session.client.get("/v1/hooks")
    session.emit(found, lambda: _text(found))


@verb("rm", "bluegreen hook rm github")
@click.argument("name")
@pass_session
def rm(session: Session, name: str) -> None:
    """Remove a deploy hook: what it signed is refused from now on."""
    found = session.client.delete(path("hooks", name))
    session.emit(found, f"{found['removed']['name']}: removed")


def _text(hooks: list[dict[str, Any]]) -> str:
    rows = [
        (
            hook["name"],
            f"{hook['service']}.{hook['stack']}",
            ", ".join(hook["images"]) or "its repository's",
            ", ".join(hook["variables"]) or "none",
            moment(hook["created_at"]),
            hook["created_by"],
        )
        for hook in hooks
    ]
    headers = ("name", "releases", "images", "variables", "created", "by")
    return table(headers, rows, empty="no hook; releases take a token, or the controller's socket")


def _what(hook: dict[str, Any]) -> str:
    images = ", ".join(hook["images"]) or "images of its repository"
    return f"{hook['service']}.{hook['stack']}: {images}"
