"""What goes over a connection: requests are read here, answers are written here, byte by byte.

The standard library's own HTTP modules are missing on Debian's ``python3-minimal``, where this must run.
"""

from __future__ import annotations

import socket
from urllib.parse import parse_qs, unquote

from bluegreen.sample.streams import Stream

REASONS = {
    101: "Switching Protocols",
    200: "OK",
    204: "No Content",
    302: "Found",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
MAX_HEAD = 64 * 1024
MAX_BODY = 16 * 1024 * 1024

Answer = tuple[int, bytes, str]
"""Status, body, and header lines, each with its line end."""


class Refused(Exception):
    """A request that cannot be read: answered with ``status``, then the connection is closed."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Request:
    """One request: method, path, query, body, and whether the client wants to go on after it."""

    __slots__ = ("body", "fields", "keep_alive", "length", "method", "path", "query", "wants_continue")

    def __init__(self, head: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        try:
            self.method, target, protocol = lines[0].split(" ")
            fields = {k.strip().lower(): v.strip() for k, v in (x.split(":", 1) for x in lines[1:])}
            self.length = int(fields.get("content-length", "0"))
        except ValueError:
            raise Refused(400) from None
        if "transfer-encoding" in fields:
            raise Refused(411)
        if not 0 <= self.length <= MAX_BODY:
            raise Refused(413 if self.length > 0 else 400)
        self.fields = fields
        path, _, self.query = target.partition("?")
        self.path = unquote(path)
        wish = fields.get("connection", "").lower()
        self.keep_alive = wish != "close" if protocol == "HTTP/1.1" else wish == "keep-alive"
        self.wants_continue = fields.get("expect", "").lower() == "100-continue"
        self.body = b""

    def argument(self, name: str, default: str = "") -> str:
        return parse_qs(self.query).get(name, [default])[0]

    def seconds(self, name: str, default: float, most: float) -> float:
        """Return a time between 0 and ``most``. Raises :class:`Refused` for what is no number."""
        try:
            return min(max(float(self.argument(name, str(default))), 0.0), most)
        except ValueError:
            raise Refused(400) from None


class Connection:
    """One client: bytes in, bytes out, and at most one request in hand.

    ``stream`` is what the connection has become after an upgrade; then no more requests come.
    """

    __slots__ = ("closing", "inbox", "outbox", "request", "since", "sock", "spoke", "stream", "waiting")

    def __init__(self, sock: socket.socket, now: float) -> None:
        self.sock = sock
        self.inbox = b""
        self.outbox = b""
        self.request: Request | None = None
        self.stream: Stream | None = None
        self.waiting = False
        self.closing = False
        self.spoke = False
        self.since = now

    @property
    def busy(self) -> bool:
        return bool(self.waiting or self.inbox or self.outbox or self.request)

    def next_request(self) -> Request | None:
        """Take one complete request out of the inbox; ``None`` while it is not all there."""
        if self.request is None:
            head, found, rest = self.inbox.partition(b"\r\n\r\n")
            if not found:
                if len(self.inbox) > MAX_HEAD:
                    raise Refused(431)
                return None
            self.request = Request(head)
            self.inbox = rest
            if self.request.wants_continue and len(rest) < self.request.length:
                self.outbox += b"HTTP/1.1 100 Continue\r\n\r\n"
        request = self.request
        if len(self.inbox) < request.length:
            return None
        request.body, self.inbox = self.inbox[: request.length], self.inbox[request.length :]
        self.request = None
        return request


def head_of(status: int, headers: str) -> bytes:
    return f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\n{headers}\r\n".encode("latin-1")
