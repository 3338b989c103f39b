"""``export env``: Docker Cloud's variables for what a service is linked to."""

from __future__ import annotations

import click

from bluegreen.cli.lazy import verb
from bluegreen.cli.session import Session, pass_session
from bluegreen.wire.client import path


@verb(
    "env", "bluegreen export env web", 'eval "$(bluegreen export env web)"', "bluegreen export env lbx --json"
)
@click.argument("service")
@pass_session
def env(session: Session, service: str) -> None:
    """Print where a service's links are, as Docker Cloud's variables.

    `WEB_1_PORT_80_TCP_ADDR` and its kind, for a shell to read. They hold for the instances of this moment;
    `bluegreen discover` follows. Values whose name tells of a secret are left out.
    """
    import shlex

    found = session.client.get(path("services", service, "link-variables"), session.scope)
    session.emit(
        found, lambda: "\n".join(f"export {name}={shlex.quote(value)}" for name, value in found.items())
    )
