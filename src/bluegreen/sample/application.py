"""What is answered, and when: the paths of the sample application."""

from __future__ import annotations

import argparse
import os

from bluegreen.sample.faults import Faults
from bluegreen.sample.streams import Events, RawEcho, Stream, WebSocketEcho, accept
from bluegreen.sample.wire import Answer, Request

MAX_SLOW = 30.0


class Application:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.faults = Faults(options)

    def delay(self, request: Request) -> float | None:
        """Return the seconds until the answer; ``None`` for a request that hangs."""
        if self.faults.hangs(request):
            return None
        if request.path == "/slow":
            return request.seconds("seconds", 1.0, MAX_SLOW)
        return self.faults.ping_delay if request.path == "/ping" else 0.0

    def answer(self, request: Request) -> Answer:
        if request.path == "/ping":
            return self._ping(request)
        if request.path == "/control":
            return self.faults.change(request)
        if self.faults.fail:
            return self.faults.fail, b"failing by request\n", ""
        return self._page(request, request.path)

    def _page(self, request: Request, path: str) -> Answer:
        if path == "/echo":
            return (200, request.body, "") if request.method == "POST" else (405, b"POST only\n", "")
        if path == "/version":
            return 200, self._version(), "Content-Type: application/json\r\n"
        if path == "/say":
            print(request.argument("text"), flush=True)
            return 200, b"said\n", ""
        if path == "/crash":
            os._exit(1)
        if path in ("/", "/slow"):
            return 200, f"{self._line()}\n".encode(), ""
        return (
            (426, b"upgrade\n", "Upgrade: websocket\r\n") if path == "/socket" else (404, b"not found\n", "")
        )

    def stream(self, request: Request) -> tuple[Stream, int, str] | None:
        """Return what the connection becomes, with status and headers; ``None`` for a plain answer."""
        if self.faults.fail:
            return None
        if request.path == "/events":
            kind = "Content-Type: text/event-stream\r\nCache-Control: no-store\r\n"
            events = Events(request.seconds("every", 1.0, MAX_SLOW) or 1.0, self._line())
            return events, 200, f"{kind}Transfer-Encoding: chunked\r\n"
        wish = request.fields.get("upgrade", "").lower()
        if request.path != "/socket" or not wish:
            return None
        key = request.fields.get("sec-websocket-key", "")
        accepted = f"Sec-WebSocket-Accept: {accept(key)}\r\n" if wish == "websocket" else ""
        stream = WebSocketEcho() if wish == "websocket" else RawEcho()
        return stream, 101, f"Upgrade: {wish}\r\nConnection: Upgrade\r\n{accepted}"

    def _ping(self, request: Request) -> Answer:
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            return 405, b"GET, HEAD or OPTIONS\n", "Allow: GET, HEAD, OPTIONS\r\n"
        return self.faults.ping()

    def _line(self) -> str:
        return f"version {self.options.version}, pid {os.getpid()}"

    def _version(self) -> bytes:
        instance = self.options.instance.replace("\\", "\\\\").replace('"', '\\"')
        version = self.options.version.replace("\\", "\\\\").replace('"', '\\"')
        return f'{{"version": "{version}", "pid": {os.getpid()}, "instance": "{instance}"}}\n'.encode()
