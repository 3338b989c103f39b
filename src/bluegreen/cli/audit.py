"""``audit`` and ``whoami``: who did what, and who is asking."""

from __future__ import annotations

from typing import Any

import click

from bluegreen.cli.lazy import verb
from bluegreen.cli.output import moment, table
from bluegreen.cli.session import Session, pass_session


@verb("audit", "bluegreen audit", "bluegreen audit switch --who ci", "bluegreen audit --json -n 1000")
@click.argument("words", required=False, default="")
@click.option("--who", default="", metavar="NAME", help="Only what this token or user did.")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=50, help="How many at most.")
@click.option("--before", type=click.IntRange(1), metavar="LINE", help="Only what is older than this line.")
@pass_session
def audit(session: Session, words: str, who: str, limit: int, before: int | None) -> None:
    """List who did what, from where, and what became of it; newest first.

    WORDS are looked for in who, what and the name of the thing.
    """
    query = {"words": words, "who": who, "limit": limit, "before": before, **session.scope}
    found = session.client.get("/v1/audit", query)
    session.emit(found, lambda: _text(found))


@verb("whoami", "bluegreen whoami", "bluegreen whoami --host https://box:8443")
@pass_session
def whoami(session: Session) -> None:
    """Say who you are to the controller, and what you may do."""
    found = session.client.get("/v1/whoami")
    stacks = ", ".join(found["stacks"]) or "all stacks"
    session.emit(found, f"{found['name']}: {found['role']} of {stacks}, by {found['via']}")


def _text(deeds: list[dict[str, Any]]) -> str:
    rows = [
        (
            d["id"],
            moment(d["at"]),
            d["who"],
            d["role"],
            f"{d['via']} {d['origin']}" if d["origin"] != d["who"] else d["via"],
            d["what"],
            d["target"] or "-",
            d["stack"] or "-",
            click.style(d["outcome"], fg="green" if d["outcome"] == "done" else "red"),
        )
        for d in deeds
    ]
    headers = ("line", "when", "who", "role", "from", "what", "target", "stack", "outcome")
    return table(headers, rows, empty="nobody did anything yet")
