"""What HAProxy's checks find, as it finds it: each backend logs to a socket in the state folder.

HAProxy sends a datagram per change and never waits: when nobody listens, or the socket is full, it drops
it. Rule: what is not understood is ignored, and whenever something may have been lost, that is said: a
notice is a reason to look, the tables are what is true. Words: HAProxy 2.8, ``srv_update_status``.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import BalancerEvent, ServerHealth
from bluegreen.drivers.balancers.haproxy.layout import EVENTS_SOCKET
from bluegreen.drivers.balancers.haproxy.members import Members
from bluegreen.drivers.proxies.files import unwritable

_NOTICE = re.compile(
    r"(?:Backup )?Server (?P<pool>[\w.-]+)/(?P<server>[\w.:-]+) is (?P<health>UP|DOWN)"
    r", (?:reason: )?(?P<why>.+)\. \d+ active and \d+ backup servers (?:left|online)\.[^\"]*\n?",
    re.ASCII,
)
_LONGEST = 4096
_MOST_UNREAD = 1000
"""Events that wait for a slow reader; beyond, it is told that some were lost."""
_LIMIT = Path("/proc/sys/net/unix/max_dgram_qlen")
_LEAST_LIMIT = 10
"""Datagrams that a socket of this box holds: what Linux begins with, where it does not say."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One finding in HAProxy's words and names."""

    pool: PoolId
    server: str
    health: ServerHealth
    why: str


def read_notice(datagram: bytes) -> Notice | None:
    """Return what a check found; ``None`` for all else that HAProxy says, such as an echo of a command."""
    found = _NOTICE.fullmatch(datagram.decode(errors="replace"))
    if found is None:
        return None
    health = ServerHealth.UP if found["health"] == "UP" else ServerHealth.DOWN
    return Notice(PoolId(found["pool"]), found["server"], health, found["why"])


class Notices:
    """See the module. ``members`` tells what HAProxy's names mean now, ``None`` while that is unknown."""

    def __init__(self, folder: Path, members: Callable[[], Members | None]) -> None:
        self._folder = folder
        self._members = members
        self._readers: set[asyncio.Queue[BalancerEvent]] = set()
        self._socket: socket.socket | None = None
        self._limit = _LEAST_LIMIT

    async def events(self) -> AsyncIterator[BalancerEvent]:
        """Yield events, the first at once. Raises ``disk_full``, ``state_unwritable``."""
        unread: asyncio.Queue[BalancerEvent] = asyncio.Queue(_MOST_UNREAD)
        self._readers.add(unread)
        try:
            self._listen()
            yield BalancerEvent(at=time.time())
            while True:
                yield await unread.get()
        finally:
            self._readers.discard(unread)
            if not self._readers:
                self._close()

    def lost(self) -> None:
        """Tell all readers that there may have been more: another HAProxy speaks, or one spoke too much."""
        self._tell(BalancerEvent(at=time.time()))

    def _listen(self) -> None:
        if self._socket is not None:
            return
        path = self._folder / EVENTS_SOCKET
        try:
            self._limit = _limit()
            self._socket = _bound(self._folder)
        except OSError as error:
            raise unwritable(path, error) from None
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._receive, self._socket)

    def _close(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()  # its file stays: it may be that of the next controller by now
            self._socket = None

    def _receive(self, source: socket.socket) -> None:
        waiting = 0
        with suppress(BlockingIOError):
            while waiting <= _MOST_UNREAD:
                self._hear(source.recv(_LONGEST))
                waiting += 1
        if waiting >= self._limit:  # it was full, or nearly: the next one may have been dropped
            self.lost()

    def _hear(self, datagram: bytes) -> None:
        notice = read_notice(datagram)
        if notice is None:
            return
        members = self._members()
        if members is None:
            self.lost()
            return
        server = members.named(notice.pool, notice.server)
        if server is not None:
            self._tell(
                BalancerEvent(
                    pool=notice.pool, server=server, health=notice.health, why=notice.why, at=time.time()
                )
            )

    def _tell(self, event: BalancerEvent) -> None:
        for unread in self._readers:
            if unread.full():
                while not unread.empty():
                    unread.get_nowait()
                event = BalancerEvent(at=event.at)
            unread.put_nowait(event)


def _bound(folder: Path) -> socket.socket:
    """Return a socket in ``folder``, in place of whoever had it. The path of the folder may be long."""
    opened = os.open(folder, os.O_PATH)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        os.fchmod(made.fileno(), 0o600)
        fresh = f"/proc/self/fd/{opened}/{EVENTS_SOCKET}.new"
        with suppress(FileNotFoundError):
            os.unlink(fresh)
        made.bind(fresh)
        os.replace(fresh, folder / EVENTS_SOCKET)
    except BaseException:
        made.close()
        raise
    finally:
        os.close(opened)
    return made


def _limit() -> int:
    with suppress(OSError, ValueError):
        return int(_LIMIT.read_text())
    return _LEAST_LIMIT
