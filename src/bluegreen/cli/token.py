"""``token``: who may come in by the network, and as whom."""

from __future__ import annotations

from typing import Any

import click

from bluegreen.cli.duration import Duration
from bluegreen.cli.lazy import verb
from bluegreen.cli.output import moment, table
from bluegreen.cli.session import Session, pass_session
from bluegreen.wire.client import path

DAY = 86_400.0


@verb(
    "create",
    "bluegreen token create ci --role deployer --only shop",
    "bluegreen token create wall-display --role viewer --expires 365d",
    "bluegreen token create ci --role deployer -q | gh secret set BLUEGREEN_TOKEN",
)
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["viewer", "deployer", "admin"]),
    required=True,
    help="viewer: see; deployer: release and steer, too; admin: everything.",
)
@click.option("--only", multiple=True, metavar="STACK", help="Limit it to this stack; may be repeated.")
@click.option("--expires", type=Duration(), default="90d", show_default=True, help="How long.")
@click.option("--never-expires", is_flag=True, help="Valid until it is withdrawn.")
@pass_session
def create(
    session: Session, name: str, role: str, only: tuple[str, ...], expires: float, never_expires: bool
) -> None:
    """Make a token, and print it this once.

    Whoever has it may use the controller's address of TCP (`bluegreen serve --listen`): put it into
    BLUEGREEN_TOKEN. What is kept of it opens nothing.
    """
    days = None if never_expires else expires / DAY
    body = {"name": name, "role": role, "stacks": list(only), "days": days}
    found = session.client.post("/v1/tokens", body, keyed=False)
    token = found["token"]
    session.say(f"{role} {_limits(token)}, {_until(token)}. This is shown once:")
    session.emit(found, found["text"])


@verb("ls", "bluegreen token ls", "bluegreen token ls --json")
@pass_session
def ls(session: Session) -> None:
    """List tokens. Their secrets are known to nobody but their holders."""
    found = session.client.get("/v1/tokens")
    session.emit(found, lambda: _text(found))


@verb("rm", "bluegreen token rm ci")
@click.argument("name")
@pass_session
def rm(session: Session, name: str) -> None:
    """Withdraw a token, by its name or id: it opens nothing from now on."""
    found = session.client.delete(path("tokens", name))
    session.emit(found, f"{found['withdrawn']['name']}: withdrawn")


def _text(tokens: list[dict[str, Any]]) -> str:
    rows = [
        (t["name"], t["role"], _limits(t), moment(t["created_at"]), t["created_by"], _until(t), t["id"])
        for t in tokens
    ]
    headers = ("name", "role", "stacks", "created", "by", "valid", "id")
    return table(headers, rows, empty="no token; only the controller's socket lets anybody in")


def _limits(token: dict[str, Any]) -> str:
    return "of " + ", ".join(token["stacks"]) if token["stacks"] else "of all stacks"


def _until(token: dict[str, Any]) -> str:
    if token["expires_at"] is None:
        return "until withdrawn"
    if token.get("expired"):
        return click.style("expired", fg="red")
    return f"until {moment(token['expires_at'])}"
