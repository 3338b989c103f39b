"""A controller of paper: answers on a real unix socket what a test put down for each request."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]


Action = Callable[["Handler"], None]


@dataclass
class FakeController:
    """``answers`` maps ``"GET /v1/status"`` to actions: one per request, the last one for all further."""

    path: Path
    answers: dict[str, list[Action]] = field(default_factory=lambda: defaultdict(list))
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def on(self, request: str, *actions: Action) -> None:
        self.answers[request] = list(actions)

    def asked(self, request: str) -> list[Request]:
        return [r for r in self.requests if f"{r.method} {r.path}" == request]

    def next_action(self, request: str) -> Action:
        actions = self.answers.get(request)
        if not actions:
            return problem(404, code="unknown_thing", group="user", title=f"no answer for {request}")
        return actions.pop(0) if len(actions) > 1 else actions[0]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        return None

    def answer(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        request = Request(self.command, parts.path, dict(parse_qsl(parts.query)), body, dict(self.headers))
        self.server.fake.requests.append(request)
        self.server.fake.next_action(f"{self.command} {parts.path}")(self)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def whole(self, status: int, content: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    fake: FakeController

    def get_request(self) -> tuple[socket.socket, Any]:
        request, _ = super().get_request()
        return request, ("unix", 0)

    def handle_error(self, request: Any, client_address: Any) -> None:
        return None  # the client may go away at any time


@contextmanager
def running(path: Path) -> Iterator[FakeController]:
    fake = FakeController(path)
    with _Server(str(path), Handler) as server:
        server.fake = fake
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join(10)
    path.unlink(missing_ok=True)


def document(value: Any, status: int = 200, **headers: str) -> Action:
    return lambda handler: handler.whole(status, json.dumps(value).encode(), "application/json", **headers)


def problem(status: int, **fields: Any) -> Action:
    whole = {"type": "about:blank", "evidence": [], "hint": "", "exit_code": 1, **fields}
    return lambda handler: handler.whole(status, json.dumps(whole).encode(), "application/problem+json")


def raw(status: int, content: bytes, kind: str = "text/plain") -> Action:
    return lambda handler: handler.whole(status, content, kind)


def hang(until: threading.Event) -> Action:
    """Never answer, until ``until`` is set."""
    return lambda handler: void(until.wait(30))


def cut(handler: Handler) -> None:
    """End the connection before any answer."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def stream(*messages: str, then: Callable[[Handler], None] | None = None) -> Action:
    """Send the messages; then end, or go on with ``then``."""

    def action(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for message in messages:
            handler.chunk(message)
        if then is not None:
            then(handler)
        else:
            handler.chunk("")

    return action


def message(event: str, data: Any, id: int = 0) -> str:
    number = f"id: {id}\r\n" if id else ""
    return f"{number}event: {event}\r\ndata: {json.dumps(data)}\r\n\r\n"


def progress(id: int, text: str, *, at: float = 1000.0, level: str = "info", phase: str = "proving") -> str:
    event = {
        "id": id,
        "message": text,
        "at": at,
        "level": level,
        "kind": "rollout.x",
        "data": {"phase": phase},
    }
    return message("progress", event, id)


def rollout(id: str = "abc123", **fields: Any) -> dict[str, Any]:
    """Return a rollout as the API dumps one, freshly begun."""
    base: dict[str, Any] = {
        "id": id,
        "kind": "deploy",
        "stack": "shop",
        "service": "web",
        "target": "shop.web.green",
        "source": "shop.web.blue",
        "routes": ["shop.web"],
        "release": 2,
        "replicas": 2,
        "phase": "preparing",
        "since": 1000.0,
        "created_at": 1000.0,
        "shifted_at": 0.0,
        "settled": False,
        "retire_source": True,
        "reason": None,
    }
    return base | fields


def ended(code: int, said: str, **fields: Any) -> dict[str, Any]:
    """Return a rollout with its outcome."""
    outcome = {"exit_code": code, "message": said, "reason": []}
    settled: dict[str, Any] = {"phase": "baking", "settled": True, "shifted_at": 1001.5}
    return rollout(**(settled | fields)) | {"outcome": outcome}


def void(_: object) -> None:
    return None
