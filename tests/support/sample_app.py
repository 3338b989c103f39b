"""A running sample application, to be talked to directly: no controller and no balancer in between."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from http.client import HTTPConnection

RUN = (sys.executable, "-m", "bluegreen.sample.app")


class Sample:
    """A running sample application on a port that the kernel chose."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*RUN, "--port", "0", "--version", "1.2.3", *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        self.port = int(self.said.rpartition(":")[2]) if "listens" in self.said else 0

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=10)

    def request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = self.connect()
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            assert answer.headers["X-Version"] == "1.2.3"
            return answer.status, answer.read()
        finally:
            connection.close()

    def raw(self, data: bytes) -> bytes:
        """Send bytes, return all that comes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as client:
            client.sendall(data)
            return b"".join(iter(lambda: client.recv(65536), b""))

    def end(self) -> int:
        return self.process.wait(20)


Start = Callable[..., Sample]
