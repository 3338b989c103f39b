"""What all parts of the client share: whom they ask, and the stack they mean."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from bluegreen.client.answers import Rollout
from bluegreen.client.reading import read
from bluegreen.locations import SOCKET, default_state_dir
from bluegreen.wire.address import parse
from bluegreen.wire.client import Client, path

__all__ = ["Connection", "path"]


class Connection:
    """``host`` is ``unix:///PATH``, ``ssh://[USER@]HOST``, ``https://HOST:PORT`` or ``http://127.0.0.1:PORT``.

    What is not given is as for the command line: ``BLUEGREEN_HOST``, else the socket in ``BLUEGREEN_HOME`` or
    its default; ``BLUEGREEN_TOKEN``; ``BLUEGREEN_CA`` (``trusted``: a file of certificates, PEM). Names of
    services and routes are looked for in ``stack`` only, or may be written ``NAME.STACK``. Nothing is
    connected until something is asked; each call is a connection of its own, so that threads may share the
    object.

    Raises ``UserError`` (``bad_host``).
    """

    def __init__(
        self,
        host: str | None = None,
        *,
        token: str | None = None,
        trusted: str | None = None,
        stack: str | None = None,
    ) -> None:
        chosen = host or os.environ.get("BLUEGREEN_HOST") or f"unix://{_home()}/{SOCKET}"
        address = parse(chosen, trusted or os.environ.get("BLUEGREEN_CA"))
        self._calls = Client(address, os.environ.get("BLUEGREEN_TOKEN", "") if token is None else token)
        self.stack = stack

    @property
    def _scope(self) -> Mapping[str, object]:
        return {"stack": self.stack}

    def _begin(self, where: str, body: Mapping[str, object] | None = None) -> Rollout | None:
        begun: Any = self._calls.post(where, body, self._scope)["rollout"]
        return None if begun is None else read(Rollout, begun)


def _home() -> str:
    given = os.environ.get("BLUEGREEN_HOME")
    return os.path.abspath(given) if given else str(default_state_dir(os.environ))
