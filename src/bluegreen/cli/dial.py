"""``dial-stdio``: what ``--host ssh://`` runs on the controller's machine.

After a line that says hello it is a pipe: bytes from stdin to the controller's socket and back, until either
side ends. It may be the one command that a key is allowed (docs/howto/remote.md).
"""

from __future__ import annotations

import os
import selectors
import socket
import sys

import click

from bluegreen.cli.lazy import verb
from bluegreen.cli.session import Session, pass_session
from bluegreen.domain.errors import UserError
from bluegreen.wire.address import parse

_AT_ONCE = 65_536


@verb("dial-stdio", "bluegreen dial-stdio", "bluegreen dial-stdio --socket /srv/bg/bluegreen.sock")
@click.option("--socket", "path", metavar="PATH", help="The controller's socket, if not that of --state-dir.")
@pass_session
def dial_stdio(session: Session, path: str | None) -> None:
    """Join stdin and stdout to the controller's socket, for `--host ssh://`.

    Run by ssh on the controller's machine: not for people.
    """
    from bluegreen.wire.ssh import HELLO

    address = parse(f"unix://{path}") if path else session.client.address
    if not address.path:
        raise UserError(
            f"{address.text} is not on this machine",
            code="not_local",
            hint="Unset BLUEGREEN_HOST here, or name the socket: --socket PATH.",
        )
    with address.connect(10.0) as connection:
        connection.sock.settimeout(None)
        os.write(sys.stdout.fileno(), HELLO)
        _join(connection.sock)


def _join(controller: socket.socket) -> None:
    """Copy both ways until one side has ended or gone away."""
    ways = {sys.stdin.fileno(): controller.fileno(), controller.fileno(): sys.stdout.fileno()}
    with selectors.PollSelector() as selector:
        for source in ways:
            selector.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if not _copy(key.fd, ways[key.fd]):
                    return


def _copy(source: int, sink: int) -> bool:
    """Copy what is there; return whether there may be more."""
    try:
        content = os.read(source, _AT_ONCE)
        left = memoryview(content)
        while left:
            left = left[os.write(sink, left) :]
    except (BrokenPipeError, ConnectionResetError):
        return False
    return bool(content)
