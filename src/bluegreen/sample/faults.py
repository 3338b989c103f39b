"""What ails this instance: begun by its options, changed while it runs by ``POST /control?do=…``."""

from __future__ import annotations

import argparse
import os
import socket
import time
from collections.abc import Callable

from bluegreen.sample.wire import Answer, Refused, Request


class Faults:
    """``hang``: nothing is answered but /control; ``fail``: the status of everything but /ping."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._begun = time.monotonic()
        self.hang = False
        self.fail = 0
        self.hang_ping: bool = options.hang_ping
        self.fail_ping: int = options.fail_ping
        self.healthy_pings: int | None = options.healthy_pings
        self.ping_delay: float = options.ping_delay
        self.redirect_ping: str = options.redirect_ping
        self._pings = 0
        self._wishes: dict[str, Callable[[int], None]] = {
            "hang": self._hang,
            "hang-ping": self._hang_ping,
            "fail": self._fail,
            "fail-ping": self._fail_ping,
            "exit": _exit,
            "freeze": _freeze,
            "heal": self._heal,
        }

    def ping(self) -> Answer:
        self._pings += 1
        if self.redirect_ping:
            return 302, b"", f"Location: {self.redirect_ping}\r\n"
        if time.monotonic() < self._begun + self._options.warm_up:
            return 503, b"warming up\n", ""
        if self.healthy_pings is not None and self._pings > self.healthy_pings:
            return 500, b"no longer well\n", ""
        if self._options.fail_when_file and os.path.exists(self._options.fail_when_file):
            return 500, b"sick by request\n", ""
        if self._options.needs and not _reachable(self._options.needs):
            return 503, f"{self._options.needs} cannot be reached\n".encode(), ""
        if self.fail_ping:
            return self.fail_ping, b"sick\n", ""
        return 200, b"pong\n", ""

    def hangs(self, request: Request) -> bool:
        """Whether this request is not answered for now."""
        if request.path == "/control":
            return False
        return self.hang or (self.hang_ping and request.path == "/ping")

    def change(self, request: Request) -> Answer:
        """Do what ``POST /control?do=…`` says. Raises :class:`Refused`."""
        if request.method != "POST":
            return 405, b"POST only\n", "Allow: POST\r\n"
        wish, code = request.argument("do"), _number(request.argument("code", "0"))
        if wish not in self._wishes:
            return 400, f"do is one of {', '.join(sorted(self._wishes))}\n".encode(), ""
        print(f"told to {wish}", flush=True)
        self._wishes[wish](code)
        return 200, f"{wish}\n".encode(), ""

    def _hang(self, _code: int) -> None:
        self.hang = True

    def _hang_ping(self, _code: int) -> None:
        self.hang_ping = True

    def _fail(self, code: int) -> None:
        self.fail = code or 500

    def _fail_ping(self, code: int) -> None:
        self.fail_ping = code or 500

    def _heal(self, _code: int) -> None:
        self.hang = self.hang_ping = False
        self.fail = self.fail_ping = 0
        self.healthy_pings, self.redirect_ping, self.ping_delay = None, "", 0.0


def _reachable(alias: str) -> bool:
    """Whether something listens behind a link, as the runtime's variables or the network name it."""
    name = alias.upper()
    address = os.environ.get(f"{name}_HOST", alias), int(os.environ.get(f"{name}_PORT", "27017"))
    try:
        socket.create_connection(address, timeout=0.3).close()
    except OSError:
        return False
    return True


def _exit(code: int) -> None:
    os._exit(code or 1)


def _freeze(_code: int) -> None:
    while True:  # what SIGTERM would set is looked at only by the event loop
        time.sleep(3600)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Refused(400) from None
