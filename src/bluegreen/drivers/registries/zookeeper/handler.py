"""How kazoo gets its threads and sockets: as usual, but its connection can be dropped at any moment.

kazoo ends a connection only by ending the session, which withdraws what was announced. A controller that is
restarted must not do that. So the socket is taken away from under it, and no other is given.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

from kazoo.handlers.threading import SequentialThreadingHandler


class Handler(SequentialThreadingHandler):  # type: ignore[misc] # kazoo has no types
    """``patience`` (seconds) bounds the making of a connection."""

    def __init__(self, patience: float) -> None:
        super().__init__()
        self._patience = patience
        self._lock = threading.Lock()
        self._hung_up = False
        self._connection: socket.socket | None = None

    def create_connection(self, *args: Any, **kwargs: Any) -> socket.socket:
        """Called in kazoo's thread. Raises ``OSError`` after :meth:`hang_up`."""
        kwargs["timeout"] = min(kwargs.get("timeout") or self._patience, self._patience)
        made: socket.socket = super().create_connection(*args, **kwargs)
        with self._lock:
            if not self._hung_up:
                self._connection = made
                return made
        made.close()
        raise ConnectionAbortedError("hung up")

    def create_socket_pair(self) -> tuple[socket.socket, socket.socket]:
        """Return (read, write). The event loop writes a byte for each question, and must never wait in it."""
        reader, writer = super().create_socket_pair()
        writer.setblocking(False)
        return reader, writer

    def hang_up(self) -> None:
        """Drop the connection for good, without a word to the server."""
        with self._lock:
            self._hung_up = True
            if self._connection is not None:
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)
