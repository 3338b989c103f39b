"""How the controller is reached: a unix socket, HTTPS, ssh, or plain HTTP on a loopback address.

Used by :mod:`bluegreen.wire.client` only. Every way of not getting through becomes one of our errors,
with what to do.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import socket
import ssl
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary, UserError

if TYPE_CHECKING:
    from bluegreen.wire.ssh import Target

_FORMS = "Give unix:///PATH, ssh://HOST, https://HOST:PORT or http://127.0.0.1:PORT"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Address:
    """A controller's address: a socket's ``path``, a ``host`` and ``port``, with TLS or without, or where
    ``ssh`` leads to.

    ``trusted`` is a file of certificates (PEM) to trust instead of the system's.
    """

    text: str
    path: str = ""
    host: str = ""
    port: int = 0
    tls: bool = False
    trusted: str | None = None
    ssh: Target | None = None

    @contextmanager
    def connect(self, timeout: float) -> Iterator[HTTPConnection]:
        """Give an open connection for the block; ``timeout`` bounds each wait on it, in seconds.

        Raises ``Temporary`` (``no_controller``, ``controller_silent``), ``Permanent``
        (``socket_permission``, ``untrusted_certificate``), ``UserError`` (``bad_host``), and what
        :meth:`bluegreen.wire.ssh.SshConnection.connect` raises.
        """
        if self.ssh is not None:
            with self._by_ssh(self.ssh, timeout) as connection:
                yield connection
            return
        connection = self._connection(timeout)
        try:
            connection.connect()
        except OSError as error:
            raise self._refused(error) from error
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _by_ssh(self, target: Target, timeout: float) -> Iterator[HTTPConnection]:
        from bluegreen.wire.ssh import SshConnection

        connection = SshConnection(target, self.text, timeout)
        try:
            connection.connect()
            yield connection
        finally:
            connection.close()
            connection.end()

    def _connection(self, timeout: float) -> HTTPConnection:
        if self.path:
            return _UnixConnection(self.path, timeout)
        if not self.tls:
            return HTTPConnection(self.host, self.port, timeout=timeout)
        return HTTPSConnection(self.host, self.port, timeout=timeout, context=_trust(self.trusted))

    def _refused(self, error: OSError) -> BluegreenError:
        if isinstance(error, ssl.SSLCertVerificationError):
            return Permanent(
                f"the certificate of {self.text} is not trusted",
                code="untrusted_certificate",
                evidence=(("TLS", str(error.args[-1])),),
                hint="Name a file with the certificate of who signed it in BLUEGREEN_CA.",
            )
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
            hint=f"{_FORMS} with --host or BLUEGREEN_HOST.",
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


def parse(text: str, trusted: str | None = None) -> Address:
    """Return the address that ``--host`` names. Raises ``UserError`` (``bad_host``).

    Plain HTTP is for this machine only: what it sends, a token among it, anybody on the way could read.
    """
    if text.startswith("ssh:"):
        from bluegreen.wire import ssh

        return Address(text=text, ssh=ssh.parse(text))
    parts = urlsplit(text)
    if parts.scheme in {"", "unix"} and parts.path.startswith("/") and not parts.netloc:
        return Address(text=f"unix://{parts.path}", path=parts.path)
    if parts.scheme == "https" and parts.hostname:
        with contextlib.suppress(ValueError):
            port = parts.port or 443
            return Address(text=text, host=parts.hostname, port=port, tls=True, trusted=trusted or None)
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        with contextlib.suppress(ValueError):
            return Address(text=text, host=parts.hostname, port=parts.port or 80)
    hints = {
        "http": "By the network only with TLS (https://HOST:PORT) or by ssh (ssh://HOST).",
    }
    raise UserError(
        f"{text!r} is no address of a controller that this version can reach",
        code="bad_host",
        hint=hints.get(parts.scheme, f"{_FORMS}."),
    )


def _trust(trusted: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=trusted)
    except OSError as error:
        raise UserError(
            f"the certificates in {trusted} cannot be used: {error.strerror or error}",
            code="bad_host",
            hint="Let BLUEGREEN_CA name a file with certificates in PEM.",
        ) from error


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
