"""``service set``: Docker Cloud's way to say what is wanted, and (after ``redeploy``) to switch.

It changes the definition only. Rule taken over from Docker Cloud: ``--link`` replaces the whole list of
links. Its parser accepted ``--link`` as a short form of ``--link-service``; here both are options.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import click

from bluegreen.cli.lazy import verb
from bluegreen.cli.release import follow_options
from bluegreen.cli.service import follow_all, identifiers
from bluegreen.cli.session import Session, pass_session
from bluegreen.domain.errors import UserError
from bluegreen.wire.client import path

_LINK = re.compile(r"^[\w-]+(\.[\w-]+)?(:[\w-]+)?$")


@verb(
    "set",
    "bluegreen service set --link webx-blue:webx-blue lbx",
    "bluegreen service set --link webx-blue:webx-blue lbx --redeploy",
    "bluegreen service set -e FEATURE=on -t 3 web",
)
@identifiers
@click.option(
    "--link",
    "--link-service",
    "links",
    metavar="SERVICE[:ALIAS]",
    multiple=True,
    help="Link a balancer to this service; replaces all its links; may be repeated.",
)
@click.option("--image", metavar="REF", help="The image of the next release.")
@click.option("-e", "--env", metavar="NAME=VALUE", multiple=True, help="Set a variable; may be repeated.")
@click.option("--env-file", metavar="FILE", multiple=True, help="Set the variables of a file.")
@click.option(
    "-t", "--target-num-containers", "number", type=click.IntRange(min=1), help="Number of instances."
)
@click.option("--redeploy", is_flag=True, help="Redeploy at once, and wait until users are served.")
@follow_options
@pass_session
def set_(
    session: Session,
    ids: Sequence[str],
    links: Sequence[str],
    image: str | None,
    env: Sequence[str],
    env_file: Sequence[str],
    number: int | None,
    redeploy: bool,
    **how: Any,
) -> int:
    """Change the definition of a service or balancer.

    What runs stays as it is until it is redeployed; only the number of instances follows at once.
    """
    from bluegreen.cli.files import environment

    wanted = {"image": image, "environment": environment(env, env_file)}
    parsed = [_link(text) for text in links]
    if not (parsed or image or wanted["environment"] or number):
        raise UserError(
            "nothing is to be set",
            code="usage",
            hint="Give --link, --image, -e or -t; see `service set --help`.",
        )
    for id in ids:
        _set(session, id, parsed, wanted, number)
    if not redeploy:
        return tell(session, ids, needs_redeploy=bool(parsed or image or wanted["environment"]))
    answers = [session.client.post(path("services", id, "redeploy"), None, session.scope) for id in ids]
    return follow_all(session, ids, answers, **how)


def _set(
    session: Session, id: str, links: list[dict[str, str]], wanted: dict[str, Any], number: int | None
) -> None:
    if links:
        session.client.put(path("balancers", id, "links"), {"links": links}, session.scope)
    if wanted["image"]:
        session.client.patch(path("services", id), {"image": wanted["image"]}, session.scope)
    if wanted["environment"]:
        body = {"put": wanted["environment"]}
        session.client.patch(path("services", id, "environment"), body, session.scope)
    if number:
        session.client.post(path("services", id, "scale"), {"replicas": number}, session.scope)


def tell(session: Session, ids: Sequence[str], *, needs_redeploy: bool) -> int:
    """Print what was changed, and in Docker Cloud's words what makes it effective."""
    session.emit({"services": list(ids), "synchronized": not needs_redeploy}, "\n".join(ids))
    if needs_redeploy:
        program = click.get_current_context().find_root().info_name
        session.say("Service must be redeployed to have its configuration changes applied.")
        session.say(f"To redeploy execute: $ {program} service redeploy {' '.join(ids)}")
    return 0


def _link(text: str) -> dict[str, str]:
    """Return the link that ``SERVICE:ALIAS`` means; the alias may be left out."""
    if not _LINK.match(text):
        raise UserError(
            f"{text!r} is no link",
            code="bad_link",
            hint="Give SERVICE:ALIAS, for example --link webx-blue:webx-blue.",
        )
    name, _, alias = text.partition(":")
    service = name.partition(".")[0]
    return {"service": service, "alias": alias or service}
