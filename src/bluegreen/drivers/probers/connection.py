"""One fresh connection to an instance, with or without TLS, within its own bound.

Called by the prober only. Connecting includes the TLS handshake, as it does for HAProxy and curl. The
certificate is not verified: a probe asks whether an instance is well, not who it is.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from functools import cache

from bluegreen.domain.check import HealthCheck

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class LateError(Exception):
    """A bound of ``allowed`` seconds passed at ``deadline`` (loop time). ``progress``: how far it came."""

    def __init__(self, allowed: float, deadline: float, progress: str) -> None:
        super().__init__(progress)
        self.allowed = allowed
        self.deadline = deadline
        self.progress = progress


class BrokenError(Exception):
    """The target did not answer as a server of its kind does. The text says what it did."""


async def connect(host: str, port: int, check: HealthCheck, begun: float) -> Streams:
    """Return a connection over which ``check`` can be asked. ``begun`` is the probe's start (loop time).

    Raises :class:`LateError`, :class:`BrokenError` for a failed handshake, and ``OSError``.
    """
    own = check.connect_timeout
    allowed = check.timeout if own is None else min(own, check.timeout)
    deadline = begun + allowed
    try:
        async with asyncio.timeout_at(deadline):
            reader, writer = await asyncio.open_connection(host, port)
    except TimeoutError as error:
        raise late(error, allowed, deadline, "while connecting") from error
    try:
        _refuse_ourselves(writer)
        if check.tls:
            await _secure(writer, check, allowed, deadline)
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer


def late(error: TimeoutError, allowed: float, deadline: float, progress: str) -> Exception:
    """The kernel gives up under the same name; then it is an error of the connection like any other."""
    return error if error.errno else LateError(allowed, deadline, progress)


def tls_fault(error: ssl.SSLError) -> str:
    """Return what OpenSSL says, in words: its number means something else to the system."""
    reason = (error.reason or "").replace("_", " ").lower() or str(error)
    return f"{reason} (no TLS there?)" if "wrong version" in reason else reason


def _refuse_ourselves(writer: asyncio.StreamWriter) -> None:
    # TCP lets a connection to a free port in the range of our own ports find itself.
    if writer.get_extra_info("sockname") == writer.get_extra_info("peername"):
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


async def _secure(writer: asyncio.StreamWriter, check: HealthCheck, allowed: float, deadline: float) -> None:
    try:
        async with asyncio.timeout_at(deadline):
            await writer.start_tls(
                _context(), server_hostname=check.host, ssl_handshake_timeout=check.timeout + 60.0
            )
    except TimeoutError as error:
        raise late(error, allowed, deadline, "during the TLS handshake") from error
    except ssl.SSLError as error:
        raise BrokenError(f"the TLS handshake failed: {tls_fault(error)}") from error
    except ConnectionError as error:
        raise BrokenError("closed the connection during the TLS handshake (no TLS there?)") from error


@cache
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
