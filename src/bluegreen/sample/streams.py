"""Connections that do not end by themselves: a WebSocket, a raw upgrade, an event stream.

They are what draining is hard about. When the server is asked to end it says goodbye to each, as a
well-behaved application does, and does not wait for the client.
"""

from __future__ import annotations

import base64
import hashlib
import struct

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSE, _PING, _PONG = 8, 9, 10
_GOING_AWAY = 1001
_MAX_FRAME = 1 << 20


class Stream:
    """``every`` is the pause between two calls of :meth:`tick` in seconds, 0 for one that only answers."""

    every = 0.0
    over = False

    def receive(self, data: bytes) -> bytes:
        """Return what is to be sent because ``data`` came."""
        return b""

    def tick(self) -> bytes:
        return b""

    def goodbye(self) -> bytes:
        return b""


class RawEcho(Stream):
    """After ``Upgrade: anything``: every byte comes back."""

    def receive(self, data: bytes) -> bytes:
        return data


class WebSocketEcho(Stream):
    """RFC 6455, just enough: each frame comes back, pings are answered, a close is confirmed."""

    def __init__(self) -> None:
        self._inbox = b""

    def receive(self, data: bytes) -> bytes:
        self._inbox += data
        answer = b""
        while not self.over and (found := _frame(self._inbox)) is not None:
            first, payload, length = found
            self._inbox = self._inbox[length:]
            code = first & 0x0F
            self.over = code == _CLOSE
            answer += frame(first & 0xF0 | (_PONG if code == _PING else code), payload)
        return answer

    def goodbye(self) -> bytes:
        return frame(0x80 | _CLOSE, struct.pack("!H", _GOING_AWAY))


class Events(Stream):
    """Server-sent events as chunks, one line after each pause; the last chunk is empty, none is cut short."""

    def __init__(self, every: float, line: str) -> None:
        self.every = every
        self._line = line
        self._count = 0

    def tick(self) -> bytes:
        self._count += 1
        return _chunk(f"data: {self._count} {self._line}\n\n".encode())

    def goodbye(self) -> bytes:
        return b"0\r\n\r\n"


def accept(key: str) -> str:
    """Return the ``Sec-WebSocket-Accept`` for a client's key."""
    return base64.b64encode(hashlib.sha1(key.encode("latin-1") + _MAGIC).digest()).decode()


def frame(first: int, payload: bytes) -> bytes:
    """Return a frame as a server sends it: not masked. ``first`` holds FIN and the opcode."""
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def _frame(data: bytes) -> tuple[int, bytes, int] | None:
    """Return first byte, payload and length of the first frame; ``None`` while it is not all there."""
    if len(data) < 2:
        return None
    masked, size, start = data[1] & 0x80, data[1] & 0x7F, 2
    for marker, form, width in ((126, "!H", 2), (127, "!Q", 8)):
        if size == marker:
            if len(data) < 2 + width:
                return None
            (size,), start = struct.unpack_from(form, data, 2), 2 + width
            break
    if size > _MAX_FRAME:
        return 0x80 | _CLOSE, b"", len(data)
    mask = data[start : start + 4] if masked else b""
    start += 4 if masked else 0
    if len(data) < start + size:
        return None
    payload = data[start : start + size]
    if mask:
        payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return data[0], payload, start + size


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
