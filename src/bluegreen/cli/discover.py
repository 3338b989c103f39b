"""``discover``: where a service's instances are, by a registry; for applications and scripts."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from bluegreen.cli.lazy import verb
from bluegreen.cli.output import line_text, table
from bluegreen.cli.session import Session, pass_session

if TYPE_CHECKING:
    from bluegreen.domain.announcement import Listing


@verb(
    "discover",
    "bluegreen discover web --from consul://10.0.0.5:8500 --stack shop",
    "bluegreen discover web --from zookeeper://10.0.0.5:2181 --stack shop --watch --json",
)
@click.option("--all", "everybody", is_flag=True, help="Also those that drain, or are not in the live color.")
@click.option("--watch", is_flag=True, help="Go on, and print again whenever it changes.")
@click.option(
    "--from", "registry", metavar="URL", envvar="BLUEGREEN_REGISTRY", required=True, help="The registry."
)
@click.argument("service")
@pass_session
def discover(session: Session, service: str, registry: str, watch: bool, everybody: bool) -> int:
    """Print the live addresses of a service, as a registry has them.

    Those that have the traffic now: of the live color, not draining, not failing the registry's check. Give
    --stack. Exit code 1 when there is none.
    """
    if not session.stack:
        raise click.UsageError("Give the stack: --stack STACK.")
    return asyncio.run(_discover(session, service, session.stack, registry, watch, everybody))


async def _discover(
    session: Session, service: str, stack: str, url: str, watch: bool, everybody: bool
) -> int:
    from bluegreen.domain.errors import Temporary
    from bluegreen.opening import opened_registry

    before: list[dict[str, Any]] | None = None
    async with opened_registry(url) as registry:
        if not watch:
            found = _found(await registry.list(stack), service, everybody)
            _print(session, found)
            return 0 if found else 1
        async with aclosing(registry.changes(stack)) as changes:
            async for _ in changes:
                try:
                    found = _found(await registry.list(stack), service, everybody)
                except Temporary as error:
                    session.say(f"{error.message}: what was printed last may be old", fg="yellow")
                    continue
                if found != before:
                    _print(session, found, stream=True)
                before = found
    return 0


def _found(listing: Listing, service: str, everybody: bool) -> list[dict[str, Any]]:
    from bluegreen.domain.publication import live_pools, pool_of
    from bluegreen.engine.pictures import picture

    live = live_pools(picture(listing)[0].shares.values())
    routed = any(pool_of(m) in live for m in listing.announcements.values() if m.service == service)
    return [
        {
            "instance": name,
            "address": f"{one.host}:{one.port}",
            "color": str(one.color),
            "release": one.release,
            "live": pool_of(one) in live,
            "draining": one.draining,
            "well": name not in listing.unwell,
        }
        for name, one in sorted(listing.announcements.items())
        if one.service == service
        and (
            everybody
            or ((pool_of(one) in live or not routed) and not one.draining and name not in listing.unwell)
        )
    ]


def _print(session: Session, found: list[dict[str, Any]], *, stream: bool = False) -> None:
    if session.json and stream:
        click.echo(line_text(found))
        return
    session.emit(found, lambda: _text(found))


def _text(found: list[dict[str, Any]]) -> str:
    rows = [(one["address"], one["instance"], one["color"], _words(one)) for one in found]
    return table(("address", "instance", "color", ""), rows, empty="nobody")


def _words(one: dict[str, Any]) -> str:
    said = [] if one["live"] else ["not live"]
    said += ["draining"] if one["draining"] else []
    said += [] if one["well"] else ["fails the registry's check"]
    return ", ".join(said)
