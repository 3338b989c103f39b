"""One TCP connection of one user, on a raw socket.

Raw, because the load client must know what a stream object hides: whether the peer had closed the
connection *before* the request was sent (legal while idle, RFC 9112 section 9.5) or after it.
Owned by :mod:`bluegreen.load.user`, which closes it.
"""

from __future__ import annotations

import asyncio
import socket
from enum import Enum

from bluegreen.load.plan import Target
from bluegreen.load.wire import EndOfStream, Malformed

_READ_SIZE = 64 * 1024


class Idle(Enum):
    """What an idle connection turns out to be just before it is used again."""

    USABLE = "usable"
    CLOSED = "closed"
    UNSOLICITED = "unsolicited"


class Connection:
    """A connected socket with a read buffer.

    ``answered`` says whether any byte arrived since the last :meth:`send`; ``used`` whether a
    request was completed on it before.
    """

    __slots__ = ("_buffer", "_loop", "_socket", "answered", "used")

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self.answered = False
        self.used = False

    @classmethod
    async def open(cls, target: Target) -> Connection:
        """Connect; raises ``OSError``. Leaves no socket behind when it fails or is cancelled."""
        sock = socket.socket(target.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(sock, target.address)
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    def close(self) -> None:
        self._socket.close()

    def idle_state(self) -> Idle:
        """Look, without waiting, at what the kernel already received on an idle connection.

        A 408 without a request is how a server may announce that it closes (RFC 9110 section 15.5.9).
        """
        if self._buffer:
            return Idle.UNSOLICITED
        try:
            data = self._socket.recv(64, socket.MSG_PEEK)
        except BlockingIOError:
            return Idle.USABLE
        except OSError:
            return Idle.CLOSED
        return Idle.CLOSED if not data or data.startswith(b"HTTP/1.1 408") else Idle.UNSOLICITED

    async def send(self, data: bytes) -> None:
        self.answered = False
        await self._loop.sock_sendall(self._socket, data)

    async def until(self, mark: bytes, limit: int) -> bytes:
        """Return the bytes up to and with ``mark``."""
        start = 0
        while (at := self._buffer.find(mark, start)) < 0:
            if len(self._buffer) > limit:
                raise Malformed(f"no {mark!r} within {limit} bytes")
            start = max(0, len(self._buffer) - len(mark) + 1)
            await self._more()
        return self._take(at + len(mark))

    async def exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            await self._more()
        return self._take(count)

    async def to_end(self, limit: int) -> bytes:
        """Return everything up to the close, for a body that is delimited by it."""
        try:
            while len(self._buffer) <= limit:
                await self._more()
        except EndOfStream:
            return self._take(len(self._buffer))
        raise Malformed(f"body longer than {limit} bytes")

    def leftover(self) -> int:
        """Return how many bytes arrived beyond the response."""
        return len(self._buffer)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    async def _more(self) -> None:
        data = await self._loop.sock_recv(self._socket, _READ_SIZE)
        if not data:
            raise EndOfStream
        self.answered = True
        self._buffer += data
