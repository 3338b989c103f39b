"""Where the API listens: the unix socket always, an address of TCP if asked for. Called by the server.

Rule: what is not this machine's own loopback is served with TLS or not at all; TCP wants a token in any case
(:mod:`bluegreen.api.access.guard`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from bluegreen.api.access.entrance import SOCKET, TCP, Entrance, SocketProtocol, TcpProtocol
from bluegreen.domain.errors import UserError

GRACE = 2
"""Seconds that open event streams get when the controller ends."""

HEADERS = 64 * 1024
"""Bytes that the head of a request may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Files in PEM: the certificate with its chain, and its key."""

    chain: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Listener:
    socket: socket.socket
    entrance: str
    certificate: Certificate | None = None


@contextmanager
def listening(path: Path, address: str | None, certificate: Certificate | None) -> Iterator[list[Listener]]:
    """Open the unix socket at ``path`` (mode 0660), and ``address`` (``HOST:PORT``) if there is one.

    Raises ``UserError``: ``socket_unusable``, ``bad_setting``, ``port_taken``.
    """
    with contextlib.ExitStack() as stack:
        listeners = [Listener(stack.enter_context(closing(_unix(path))), SOCKET)]
        stack.callback(path.unlink, missing_ok=True)
        if address:
            listeners.append(_tcp(stack, address, certificate))
        yield listeners


@asynccontextmanager
async def serving(app: ASGIApp, listeners: Sequence[Listener]) -> AsyncIterator[asyncio.Future[Any]]:
    """Serve ``app`` while the block runs; what is yielded is done when a server has ended by itself."""
    servers = [_Server(_config(app, one)) for one in listeners]
    tasks = [
        asyncio.ensure_future(server.serve(sockets=[one.socket]))
        for server, one in zip(servers, listeners, strict=True)
    ]
    first = asyncio.ensure_future(asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED))
    try:
        yield first
    finally:
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)
        await first


def _config(app: ASGIApp, one: Listener) -> uvicorn.Config:
    tls = one.certificate
    return uvicorn.Config(
        Entrance(app, one.entrance),
        http=SocketProtocol if one.entrance == SOCKET else TcpProtocol,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=HEADERS,
        timeout_graceful_shutdown=GRACE,
        ssl_certfile=None if tls is None else str(tls.chain),
        ssl_keyfile=None if tls is None else str(tls.key),
    )


class _Server(uvicorn.Server):
    """uvicorn, with the signals left to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _unix(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # the lock says that nobody listens on it
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o117)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise UserError(
            f"cannot listen on {path}: {error}",
            code="socket_unusable",
            hint="The path of a unix socket has at most 107 bytes: give a shorter --state-dir.",
        ) from error
    finally:
        os.umask(before)
    listener.listen(128)
    return listener


def _tcp(stack: contextlib.ExitStack, address: str, certificate: Certificate | None) -> Listener:
    host, port = _parts(address)
    if certificate is None and not _is_loopback(host):
        raise UserError(
            f"{address} can be reached from outside, so it wants TLS",
            code="bad_setting",
            hint="Give --tls-certificate and --tls-key, or listen on 127.0.0.1.",
        )
    if certificate is not None:
        _examine(certificate)
    try:
        opened = socket.create_server((host, port), family=_family(host))
    except OSError as error:
        raise UserError(
            f"cannot listen on {address}: {error.strerror or error}",
            code="port_taken",
            hint="Give another address with --listen.",
        ) from error
    # asyncio does so only for sockets that name their protocol; without it a kept connection waits 40 ms for
    # the second half of each answer. What is accepted inherits it.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Listener(stack.enter_context(closing(opened)), TCP, certificate)


def _parts(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise UserError(
            f"{address} is no address to listen on",
            code="bad_setting",
            hint="Give HOST:PORT, for example 127.0.0.1:8110 or [::1]:8110.",
        )
    return host.strip("[]"), int(port)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ip_address(host).is_loopback
    return False


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _examine(certificate: Certificate) -> None:
    """Say now, not at the first request, that a certificate cannot be used."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.chain, certificate.key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise UserError(
            f"the certificate {certificate.chain} with the key {certificate.key} cannot be used: {error}",
            code="bad_setting",
            hint="Both are files in PEM; the key has no pass phrase and belongs to the certificate.",
        ) from error
