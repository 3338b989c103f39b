"""The output of instances: a file each, written by the process itself, so that no line is lost
while there is no controller.

A file that grew beyond ``MAX_SIZE`` is copied aside and truncated in place; the process goes on
writing to the same open file (``O_APPEND``). Lines written in the moment between copy and
truncation are lost, which is the price of having no process in between. Growth is noticed by
inotify, at most once in ``PAUSE`` seconds per file, and costs nothing while nothing is written.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import deque
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path

from bluegreen.drivers.runtimes.process.inotify import Inotify

MAX_SIZE = 10 << 20
PAUSE = 5.0
MAX_LINE = 64 * 1024


class Logs:
    """The log folder of a runtime. Owns an inotify descriptor; :meth:`close` gives it back."""

    def __init__(self, folder: Path, *, max_size: int = MAX_SIZE, pause: float = PAUSE) -> None:
        self.folder = folder
        self._max_size = max_size
        self._pause = pause
        self._inotify = Inotify()
        self._watches: dict[str, int] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def keep_short(self, name: str) -> None:
        """From now on keep the instance's file below its size."""
        if name not in self._timers and name not in self._watches:
            self._check(name)

    def forget(self, name: str) -> None:
        """Delete the instance's output."""
        self._release(name)
        for path in (self.path(name), self._older(name)):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        for name in {*self._timers, *self._watches}:
            self._release(name)
        self._inotify.close()

    def tail(self, name: str, count: int) -> list[str]:
        """Return the last ``count`` lines. Blocks: call it in a thread."""
        lines: deque[bytes] = deque(maxlen=max(count, 0))
        for path in (self._older(name), self.path(name)):
            with suppress(FileNotFoundError):
                lines.extend(path.read_bytes().splitlines())
        return [_text(line) for line in lines]

    async def follow(self, name: str, count: int) -> AsyncIterator[str]:
        """Yield the last ``count`` lines, then each new one. Ends when the output is deleted."""
        changed = asyncio.Event()
        with closing(Inotify()) as inotify, self.path(name).open("rb") as file:
            inotify.watch(self.path(name), changed.set)
            *lines, rest = (await asyncio.to_thread(file.read)).split(b"\n")
            for line in deque(lines, maxlen=max(count, 0)):
                yield _text(line)
            while os.fstat(file.fileno()).st_nlink:
                await changed.wait()
                changed.clear()
                if file.tell() > os.fstat(file.fileno()).st_size:
                    file.seek(0)
                *lines, rest = (rest + file.read()).split(b"\n")
                for line in lines:
                    yield _text(line)

    def _check(self, name: str) -> None:
        self._timers.pop(name, None)
        path = self.path(name)
        try:
            if path.stat().st_size > self._max_size:
                shutil.copyfile(path, self._older(name))
                os.truncate(path, 0)
            self._watches[name] = self._inotify.watch(path, lambda: self._grew(name))
        except FileNotFoundError:
            return
        except OSError:
            # No disk for the copy, or no watch to be had: look again later.
            self._grew(name)

    def _grew(self, name: str) -> None:
        watch = self._watches.pop(name, None)
        if watch is not None:
            self._inotify.unwatch(watch)
        loop = asyncio.get_running_loop()
        self._timers[name] = loop.call_later(self._pause, self._check, name)

    def _release(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
        watch = self._watches.pop(name, None)
        if watch is not None:
            self._inotify.unwatch(watch)

    def _older(self, name: str) -> Path:
        return self.folder / f"{name}.log.1"


def _text(line: bytes) -> str:
    return line[:MAX_LINE].decode(errors="replace").rstrip("\r")
