"""Being told that a file changed, instead of asking (inotify(7); Python has no binding for it).

Used to follow a log, and to notice that one has grown too long.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

CHANGED = 0x2 | 0x4
"""IN_MODIFY, and IN_ATTRIB: the latter comes when a file that is still open is deleted."""
_HEAD = struct.Struct("iIII")
_LIBC = ctypes.CDLL(None, use_errno=True)


class Inotify:
    """Calls back in the event loop for each watched path that changed.

    One descriptor for any number of paths. Raises ``OSError`` when the kernel has no more watches.
    """

    def __init__(self) -> None:
        self._fd: int = _LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._callbacks: dict[int, Callable[[], None]] = {}
        asyncio.get_running_loop().add_reader(self._fd, self._readable)

    def watch(self, path: Path, callback: Callable[[], None]) -> int:
        """Call ``callback`` whenever the file is written, truncated or deleted; return what ends it."""
        number: int = _LIBC.inotify_add_watch(self._fd, os.fsencode(path), CHANGED)
        if number < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch", str(path))
        self._callbacks[number] = callback
        return number

    def unwatch(self, number: int) -> None:
        if self._callbacks.pop(number, None) is not None:
            _LIBC.inotify_rm_watch(self._fd, number)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    def _readable(self) -> None:
        data = b""
        with suppress(BlockingIOError):
            data = os.read(self._fd, 64 * 1024)
        numbers = []
        while len(data) >= _HEAD.size:
            number, _mask, _cookie, length = _HEAD.unpack_from(data)
            numbers.append(number)
            data = data[_HEAD.size + length :]
        for number in dict.fromkeys(numbers):
            if number in self._callbacks:
                self._callbacks[number]()
