"""The event loop of the sample application: one thread, one selector, a graceful end."""

from __future__ import annotations

import argparse
import heapq
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType

from bluegreen.sample.application import Application
from bluegreen.sample.streams import Stream
from bluegreen.sample.wire import Answer, Connection, Refused, Request, head_of

STOP_DEADLINE = 10.0
FRESH = 0.2
"""Seconds that a connection which has not spoken yet is kept while the server is ending."""


class Server:
    """The event loop: accepts, reads, answers, waits for slow ones, and ends gracefully."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.application = Application(options)
        self.selector = selectors.DefaultSelector()
        self.connections: set[Connection] = set()
        self.timers: list[tuple[float, int, Callable[[], None]]] = []
        self.parked: list[tuple[Connection, Request]] = []
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
        self.listener.bind((self.options.host, self.options.listen_on or self.options.port))
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

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        self.sequence += 1
        heapq.heappush(self.timers, (time.monotonic() + seconds, self.sequence, what))

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
            if connection.stream is not None and not connection.closing:
                self.end_stream(connection, connection.stream.goodbye())
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
                connection.spoke = True
                if connection.stream is not None:
                    self.converse(connection, connection.stream, data)
                    return
                connection.inbox += data
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
        delay = self.application.delay(request)
        if delay is None:
            connection.waiting = True
            self.parked.append((connection, request))
        elif delay > 0:
            connection.waiting = True
            self.after(delay, lambda: self.late(connection, request))
        else:
            self.reply(connection, request)

    def late(self, connection: Connection, request: Request) -> None:
        """Answer a request that had to wait, unless it is to hang by now."""
        if connection not in self.connections:
            return
        if self.application.faults.hangs(request):
            self.parked.append((connection, request))
            return
        connection.waiting = False
        self.reply(connection, request)
        self.proceed(connection)

    def reply(self, connection: Connection, request: Request) -> None:
        if (begun := self.application.stream(request)) is not None:
            self.upgrade(connection, *begun)
            return
        answer = self.application.answer(request)
        self.respond(connection, answer, request.method, keep_alive=request.keep_alive)
        if request.path == "/control":
            parked, self.parked = self.parked, []
            for one in parked:
                self.late(*one)

    def fire_timers(self, now: float) -> None:
        while self.timers and self.timers[0][0] <= now:
            heapq.heappop(self.timers)[2]()

    def upgrade(self, connection: Connection, stream: Stream, status: int, headers: str) -> None:
        connection.stream = stream
        connection.outbox += head_of(status, self.version_header + headers)
        early, connection.inbox = connection.inbox, b""
        connection.outbox += stream.receive(early)
        if stream.every:
            self.tick(connection, stream)

    def tick(self, connection: Connection, stream: Stream) -> None:
        if connection in self.connections and not connection.closing:
            connection.outbox += stream.tick()
            self.after(stream.every, lambda: self.tick(connection, stream))
            self.flush(connection)

    def converse(self, connection: Connection, stream: Stream, data: bytes) -> None:
        answer = stream.receive(data)
        if stream.over:
            self.end_stream(connection, answer)
        else:
            connection.outbox += answer
            self.flush(connection)

    def end_stream(self, connection: Connection, goodbye: bytes) -> None:
        connection.closing = True
        connection.outbox += goodbye
        self.flush(connection)

    def respond(self, connection: Connection, answer: Answer, method: str, *, keep_alive: bool) -> None:
        status, body, headers = answer
        if not keep_alive or self.stop_at is not None:
            connection.closing = True
            headers += "Connection: close\r\n"
        headers = f"{self.version_header}{headers}Content-Length: {len(body)}\r\n"
        connection.outbox += head_of(status, headers) + (b"" if method == "HEAD" else body)

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
