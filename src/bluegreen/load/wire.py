"""Reading HTTP/1.1 responses strictly, so that a damaged one is never taken for a good one.

Called by :mod:`bluegreen.load.user`. Framing follows RFC 9112 section 6.3; what a lenient client
would forgive (bare line feeds, two different lengths, a length beside chunks, bytes after the end)
is an error here, because a balancer that produces it has a fault that some client will trip over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

MAX_HEAD = 64 * 1024
MAX_BODY = 16 * 1024 * 1024

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\r\n]*)?")
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
_BODILESS = (204, 304)


class Malformed(Exception):
    """The bytes received are not a response by the rules of RFC 9112."""


class Reader(Protocol):
    """Where response bytes come from; each method raises ``EndOfStream`` when they end too early."""

    async def until(self, mark: bytes, limit: int) -> bytes: ...

    async def exactly(self, count: int) -> bytes: ...

    async def to_end(self, limit: int) -> bytes: ...


class EndOfStream(Exception):
    """The peer closed the connection before the response was complete."""


@dataclass(frozen=True, slots=True)
class Response:
    """One complete response. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    reusable: bool


def parse_head(head: bytes) -> tuple[int, int, dict[str, str]]:
    """Return (minor version, status, headers) of a head without its final empty line."""
    first, *rest = head.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise Malformed(f"status line {first[:80]!r}")
    headers: dict[str, str] = {}
    for line in rest:
        found = _HEADER.fullmatch(line)
        if found is None:
            raise Malformed(f"header line {line[:80]!r}")
        name, value = found[1].decode("ascii").lower(), found[2].decode("latin-1")
        if name in headers:
            if name in ("content-length", "transfer-encoding") and headers[name] != value:
                raise Malformed(f"two different {name} headers")
            value = f"{headers[name]}, {value}" if name != "content-length" else value
        headers[name] = value
    return int(status[1]), int(status[2]), headers


async def read_response(reader: Reader) -> Response:
    """Read one final response (1xx ones are passed over).

    Raises :class:`Malformed`, :class:`EndOfStream`, or ``OSError`` of the socket.
    """
    status = 100
    while status < 200:
        head = await reader.until(b"\r\n\r\n", MAX_HEAD)
        minor, status, headers = parse_head(head[:-4])
    body, framed = await _read_body(reader, minor, status, headers)
    options = headers.get("connection", "").lower()
    persistent = "close" not in options and (minor == 1 or "keep-alive" in options)
    return Response(status, headers, body, framed and persistent)


async def _read_body(reader: Reader, minor: int, status: int, headers: dict[str, str]) -> tuple[bytes, bool]:
    """Return (body, whether its end was marked other than by closing)."""
    length, encoding = headers.get("content-length"), headers.get("transfer-encoding")
    if length is not None and encoding is not None:
        raise Malformed("both content-length and transfer-encoding")
    if status in _BODILESS:
        return b"", True
    if encoding is not None:
        if encoding.lower() != "chunked" or minor == 0:
            raise Malformed(f"transfer-encoding {encoding!r} in HTTP/1.{minor}")
        return await _read_chunks(reader), True
    if length is None:
        return await reader.to_end(MAX_BODY), False
    if not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY:
        raise Malformed(f"content-length {length[:40]!r}")
    return await reader.exactly(int(length)), True


async def _read_chunks(reader: Reader) -> bytes:
    body = bytearray()
    while True:
        line = await reader.until(b"\r\n", 1024)
        found = _CHUNK.fullmatch(line[:-2])
        if found is None:
            raise Malformed(f"chunk size {line[:40]!r}")
        size = int(found[1], 16)
        if size == 0:
            break
        if len(body) + size > MAX_BODY:
            raise Malformed("body too large")
        chunk = await reader.exactly(size + 2)
        if chunk[-2:] != b"\r\n":
            raise Malformed("chunk longer than its size")
        body += chunk[:-2]
    while (await reader.until(b"\r\n", MAX_HEAD)) != b"\r\n":
        pass
    return bytes(body)
