"""A small HTTP/1.1 server with versions, slow answers, a graceful end, and faults on demand.

It is what the demo, the examples and the tests release. One thread, one selector. It must run
from this one file on Debian's ``python3-minimal`` (which has no ``json``, ``http``, ``asyncio``,
``dataclasses``), so it parses HTTP itself and nothing may be imported that is missing there.
Every option is also read from the environment (``--fail-ping`` is ``FAIL_PING``).

    GET /ping   /version   /slow?seconds=1.5   /say?text=hello   /crash   /      POST /echo
"""

import argparse
import heapq
import os
import selectors
import signal
import socket
import sys
import time
from types import FrameType
from urllib.parse import parse_qs, unquote

REASONS = {
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
MAX_SLOW = 30.0
STOP_DEADLINE = 10.0
FRESH = 0.2
"""Seconds that a connection which has not spoken yet is kept while the server is ending."""


class Refused(Exception):
    """A request that cannot be read: answered with ``status``, then the connection is closed."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Request:
    """One request: method, path, query, body, and whether the client wants to go on after it."""

    __slots__ = ("body", "keep_alive", "length", "method", "path", "query", "wants_continue")

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
        path, _, self.query = target.partition("?")
        self.path = unquote(path)
        wish = fields.get("connection", "").lower()
        self.keep_alive = wish != "close" if protocol == "HTTP/1.1" else wish == "keep-alive"
        self.wants_continue = fields.get("expect", "").lower() == "100-continue"
        self.body = b""

    def argument(self, name: str, default: str = "") -> str:
        return parse_qs(self.query).get(name, [default])[0]


class Connection:
    """One client: bytes in, bytes out, and at most one request in hand."""

    __slots__ = ("closing", "inbox", "outbox", "request", "since", "sock", "spoke", "waiting")

    def __init__(self, sock: socket.socket, now: float) -> None:
        self.sock = sock
        self.inbox = b""
        self.outbox = b""
        self.request: Request | None = None
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


class Application:
    """What is answered. Returns status, body, headers; ``None`` for a request never answered."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.pings = 0

    def answer(self, request: Request) -> tuple[int, bytes, str] | None:
        if request.path == "/ping":
            return self.ping(request)
        if request.path == "/echo":
            return (200, request.body, "") if request.method == "POST" else (405, b"POST only\n", "")
        if request.path == "/version":
            return 200, self.version(), "Content-Type: application/json\r\n"
        if request.path == "/say":
            print(request.argument("text"), flush=True)
            return 200, b"said\n", ""
        if request.path == "/crash":
            os._exit(1)
        if request.path in ("/", "/slow"):
            return 200, f"version {self.options.version}, pid {os.getpid()}\n".encode(), ""
        return 404, b"not found\n", ""

    def ping(self, request: Request) -> tuple[int, bytes, str] | None:
        options = self.options
        if options.hang_ping:
            return None
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            return 405, b"GET, HEAD or OPTIONS\n", "Allow: GET, HEAD, OPTIONS\r\n"
        if options.redirect_ping:
            return 302, b"", f"Location: {options.redirect_ping}\r\n"
        self.pings += 1
        if options.healthy_pings is not None and self.pings > options.healthy_pings:
            return 500, b"no longer well\n", ""
        if options.fail_when_file and os.path.exists(options.fail_when_file):
            return 500, b"sick by request\n", ""
        if options.fail_ping:
            return options.fail_ping, b"sick\n", ""
        return 200, b"pong\n", ""

    def version(self) -> bytes:
        instance = self.options.instance.replace("\\", "\\\\").replace('"', '\\"')
        version = self.options.version.replace("\\", "\\\\").replace('"', '\\"')
        return f'{{"version": "{version}", "pid": {os.getpid()}, "instance": "{instance}"}}\n'.encode()


class Server:
    """The event loop: accepts, reads, answers, waits for slow ones, and ends gracefully."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.application = Application(options)
        self.selector = selectors.DefaultSelector()
        self.connections: set[Connection] = set()
        self.timers: list[tuple[float, int, Connection, Request]] = []
        self.sequence = 0
        self.listener: socket.socket | None = None
        self.stop_at: float | None = None
        self.version_header = f"X-Version: {options.version}\r\n"
        # A signal interrupts select() only through a descriptor that becomes readable.
        wake, self.woken = socket.socketpair()
        self.woken.setblocking(False)
        signal.set_wakeup_fd(self.woken.fileno(), warn_on_full_buffer=False)
        self.selector.register(wake, selectors.EVENT_READ, lambda _mask: wake.recv(64))

    def listen(self) -> None:
        family = socket.AF_INET6 if ":" in self.options.host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((self.options.host, self.options.port))
        self.listener.listen(1024)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        where = f"{self.options.host}:{self.listener.getsockname()[1]}"
        print(f"version {self.options.version} listens on {where}", flush=True)

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        if self.options.die_on_term:
            os._exit(143)
        if self.stop_at is None:
            self.stop_at = time.monotonic() + STOP_DEADLINE

    def run(self, until: float | None) -> None:
        """Serve until asked to stop and nothing is in flight, or until a moment (monotonic)."""
        while until is None or time.monotonic() < until:
            for key, mask in self.selector.select(self.patience(until)):
                key.data(mask)
            now = time.monotonic()
            self.fire_timers(now)
            if self.stop_at is not None and self.ended(now, self.stop_at):
                return

    def patience(self, until: float | None) -> float | None:
        moments = [m for m in (until, self.stop_at) if m is not None]
        if self.timers:
            moments.append(self.timers[0][0])
        if self.stop_at is not None:
            moments.append(time.monotonic() + (FRESH if self.connections else 0))
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def ended(self, now: float, deadline: float) -> bool:
        """Close what is idle; true once nobody is left, or the deadline has passed.

        Whoever was already in the listen queue, or has just sent something, is served first.
        """
        if now >= deadline:
            return True
        if self.selector.select(0):
            return False
        for connection in list(self.connections):
            if not connection.busy and (connection.spoke or now > connection.since + FRESH):
                self.close(connection)
        return not self.connections

    def accept(self, _mask: int) -> None:
        assert self.listener is not None
        for _ in range(64):
            try:
                sock, _address = self.listener.accept()
            except OSError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock, time.monotonic())
            self.connections.add(connection)
            self.selector.register(
                sock, selectors.EVENT_READ, lambda mask, c=connection: self.transfer(c, mask)
            )

    def transfer(self, connection: Connection, mask: int) -> None:
        try:
            if mask & selectors.EVENT_READ:
                data = connection.sock.recv(256 * 1024)
                if not data:
                    self.close(connection)
                    return
                connection.inbox += data
                connection.spoke = True
            self.proceed(connection)
        except BlockingIOError:
            return
        except OSError:
            self.close(connection)

    def proceed(self, connection: Connection) -> None:
        """Answer what can be answered in the order it was asked, then send."""
        try:
            while not connection.waiting and not connection.closing:
                request = connection.next_request()
                if request is None:
                    break
                self.handle(connection, request)
        except Refused as refused:
            self.respond(connection, (refused.status, b"refused\n", ""), "GET", keep_alive=False)
        self.flush(connection)

    def handle(self, connection: Connection, request: Request) -> None:
        if request.path == "/slow":
            try:
                seconds = min(max(float(request.argument("seconds", "1")), 0.0), MAX_SLOW)
            except ValueError:
                raise Refused(400) from None
            connection.waiting = True
            self.sequence += 1
            heapq.heappush(self.timers, (time.monotonic() + seconds, self.sequence, connection, request))
            return
        answer = self.application.answer(request)
        if answer is None:
            connection.waiting = True
        else:
            self.respond(connection, answer, request.method, keep_alive=request.keep_alive)

    def fire_timers(self, now: float) -> None:
        while self.timers and self.timers[0][0] <= now:
            _, _, connection, request = heapq.heappop(self.timers)
            if connection in self.connections:
                connection.waiting = False
                answer = self.application.answer(request)
                assert answer is not None
                self.respond(connection, answer, request.method, keep_alive=request.keep_alive)
                self.proceed(connection)

    def respond(
        self, connection: Connection, answer: tuple[int, bytes, str], method: str, *, keep_alive: bool
    ) -> None:
        status, body, headers = answer
        if not keep_alive or self.stop_at is not None:
            connection.closing = True
            headers += "Connection: close\r\n"
        head = (
            f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\n{self.version_header}{headers}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        connection.outbox += head.encode("latin-1") + (b"" if method == "HEAD" else body)

    def flush(self, connection: Connection) -> None:
        try:
            if connection.outbox:
                sent = connection.sock.send(connection.outbox)
                connection.outbox = connection.outbox[sent:]
        except BlockingIOError:
            pass
        except OSError:
            self.close(connection)
            return
        if connection.closing and not connection.outbox:
            self.close(connection)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.outbox else 0)
        key = self.selector.get_key(connection.sock)
        if key.events != wanted:
            self.selector.modify(connection.sock, wanted, key.data)

    def close(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.discard(connection)
            self.selector.unregister(connection.sock)
            connection.sock.close()


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="app", description="The sample application of bluegreen.")

    def option(name: str, kind: type, default: object, text: str) -> None:
        given = os.environ.get(name.upper().replace("-", "_"), default)
        parser.add_argument(f"--{name}", type=kind, default=given, help=text)

    def switch(name: str, text: str) -> None:
        given = os.environ.get(name.upper().replace("-", "_"), "") not in ("", "0", "false", "no")
        parser.add_argument(f"--{name}", action="store_true", default=given, help=text)

    option("version", str, "0.0.0", "what /version and X-Version say")
    option("port", int, 3000, "port to listen on")
    option("host", str, "127.0.0.1", "address to listen on")
    option("instance", str, os.environ.get("BLUEGREEN_INSTANCE") or socket.gethostname(), "own name")
    option("start-delay", float, 0.0, "seconds before it listens")
    option("fail-ping", int, 0, "status of every /ping")
    option("healthy-pings", int, None, "after that many, /ping is 500")
    option("fail-when-file", str, "", "/ping is 500 while this file exists")
    option("redirect-ping", str, "", "/ping redirects to this URL")
    option("exit-after", float, None, "end by itself after that many seconds")
    option("exit-code", int, 0, "with which status --exit-after ends")
    option("exit-at-start", int, None, "end at once with this status")
    option("allocate", int, 0, "MB of memory to hold")
    switch("hang-ping", "never answer /ping")
    switch("never-listen", "run without listening")
    switch("die-on-term", "end at once on SIGTERM, requests in flight are lost")
    switch("ignore-term", "do not end on SIGTERM")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    server = Server(options)
    # PID 1 has no default action for signals: without handlers a container would ignore both.
    signal.signal(signal.SIGINT, server.stop)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if options.ignore_term else server.stop)
    if options.exit_at_start is not None:
        print(f"ends at start with {options.exit_at_start}", flush=True)
        return int(options.exit_at_start)
    ballast = b"\1" * (options.allocate << 20)
    if options.start_delay:
        server.run(until=time.monotonic() + options.start_delay)
    if server.stop_at is None and not options.never_listen:
        server.listen()
    ends_at = None if options.exit_after is None else time.monotonic() + options.exit_after
    server.run(until=ends_at)
    del ballast
    return 0 if server.stop_at is not None else options.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
