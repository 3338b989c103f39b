"""How the controller is reached: a unix socket, or plain HTTP on a loopback address.

Used by :mod:`bluegreen.cli.client` only. Every way of not getting through becomes one of our errors,
with what to do.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import socket
import stat
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary, UserError


@dataclass(frozen=True, slots=True)
class Address:
    """A controller's address: a socket's ``path``, or a ``host`` and ``port``."""

    text: str
    path: str = ""
    host: str = ""
    port: int = 0

    def connect(self, timeout: float) -> HTTPConnection:
        """Return an open connection; ``timeout`` bounds each wait on it, in seconds.

        Raises ``Temporary`` (``no_controller``, ``controller_silent``), ``Permanent``
        (``socket_permission``) or ``UserError`` (``bad_host``).
        """
        connection = (
            _UnixConnection(self.path, timeout)
            if self.path
            else HTTPConnection(self.host, self.port, timeout=timeout)
        )
        try:
            connection.connect()
        except OSError as error:
            raise self._refused(error) from error
        return connection

    def _refused(self, error: OSError) -> BluegreenError:
        if isinstance(error, PermissionError):
            return _no_permission(self)
        if isinstance(error, TimeoutError):
            return silent(self.text)
        if isinstance(error, FileNotFoundError | ConnectionRefusedError | NotADirectoryError):
            return Temporary(
                f"no controller answers at {self.text}",
                code="no_controller",
                hint="Start one: `bluegreen up` (with a stack file) or `bluegreen serve`.",
            )
        return UserError(
            f"cannot connect to {self.text}: {error.strerror or error}",
            code="bad_host",
            hint="Give unix:///PATH or http://127.0.0.1:PORT with --host or BLUEGREEN_HOST.",
        )


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._path)
        except OSError:
            self.sock.close()
            raise


def parse(text: str) -> Address:
    """Return the address that ``--host`` names. Raises ``UserError`` (``bad_host``)."""
    parts = urlsplit(text)
    if parts.scheme in {"", "unix"} and parts.path.startswith("/") and not parts.netloc:
        return Address(text=f"unix://{parts.path}", path=parts.path)
    if parts.scheme == "http" and parts.hostname:
        with contextlib.suppress(ValueError):
            return Address(text=text, host=parts.hostname, port=parts.port or 80)
    hints = {
        "ssh": "Forward the socket (`ssh -nNT -L /tmp/bluegreen.sock:REMOTE_SOCKET HOST`), "
        "then give --host unix:///tmp/bluegreen.sock.",
        "https": "Give unix:///PATH or http://127.0.0.1:PORT; TLS is not offered yet.",
    }
    raise UserError(
        f"{text!r} is no address of a controller that this version can reach",
        code="bad_host",
        hint=hints.get(parts.scheme, "Give unix:///PATH or http://127.0.0.1:PORT."),
    )


def silent(where: str) -> Temporary:
    return Temporary(
        f"the controller at {where} does not answer in time",
        code="controller_silent",
        hint="Traffic is not affected. Look at its log, or restart it: `bluegreen serve`.",
    )


def _no_permission(address: Address) -> BluegreenError:
    owner, group, mode = _ownership(Path(address.path))
    can_join = f"Join the group (`sudo usermod -aG {group} $USER`, then log in again)" if group else ""
    return Permanent(
        f"no permission to use the controller's socket {address.path}",
        code="socket_permission",
        evidence=(("socket", f"owner {owner}, group {group}, mode {mode}"),) if group else (),
        hint=f"{can_join or 'Make its folder readable for you'}, or run the command as its owner.",
    )


def _ownership(path: Path) -> tuple[str, str, str]:
    """Return owner, group and mode of the socket; empty where its folder hides them."""
    try:
        found = os.stat(path)
    except OSError:
        return "", "", ""
    owner, group = str(found.st_uid), str(found.st_gid)
    with contextlib.suppress(KeyError):
        owner = pwd.getpwuid(found.st_uid).pw_name
    with contextlib.suppress(KeyError):
        group = grp.getgrgid(found.st_gid).gr_name
    return owner, group, f"{stat.S_IMODE(found.st_mode):04o}"
