"""What one call of the program knows: whom to talk to, and how to print. The ``obj`` of click."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bluegreen.locations import SOCKET, default_state_dir

if TYPE_CHECKING:
    from bluegreen.wire.client import Client

R = TypeVar("R")


@dataclass(slots=True)
class Session:
    """The global options. A flag wins over its variable; ``--host`` over ``--state-dir``."""

    host: str | None = None
    state_dir: str | None = None
    stack: str | None = None
    json: bool = False
    quiet: bool = False

    @property
    def home(self) -> Path:
        """The state folder: ``--state-dir``, ``BLUEGREEN_HOME``, else the default."""
        given = self.state_dir or os.environ.get("BLUEGREEN_HOME")
        return Path(given).absolute() if given else default_state_dir(os.environ)

    @property
    def chosen_host(self) -> str | None:
        """The address that was asked for; ``None`` for the socket of the state folder."""
        return self.host or (None if self.state_dir else os.environ.get("BLUEGREEN_HOST") or None)

    @property
    def client(self) -> Client:
        """A client of the controller. Raises ``UserError`` (``bad_host``)."""
        from bluegreen.wire.address import parse
        from bluegreen.wire.client import Client

        address = parse(self.chosen_host or f"unix://{self.home / SOCKET}", os.environ.get("BLUEGREEN_CA"))
        return Client(address, os.environ.get("BLUEGREEN_TOKEN", ""))

    @property
    def scope(self) -> Mapping[str, object]:
        """The query that keeps a call within ``--stack``."""
        return {"stack": self.stack}

    def say(self, message: str, **style: Any) -> None:
        """Print a message for people, to stderr."""
        if not self.quiet:
            click.secho(message, err=True, **style)

    def emit(self, document: Any, text: Callable[[], str] | str = "") -> None:
        """Print the result: the document with ``--json``, else the text (made only if needed)."""
        if self.json:
            from bluegreen.cli.output import document_text

            click.echo(document_text(document))
            return
        shown = text if isinstance(text, str) else text()
        if shown:
            click.echo(shown)


def pass_session(function: Callable[..., R]) -> Callable[..., R]:
    """Call ``function`` with the session of this call of the program first."""

    @wraps(function)
    def inner(*args: Any, **kwargs: Any) -> R:
        session = click.get_current_context().ensure_object(Session)
        return function(session, *args, **kwargs)

    return inner
