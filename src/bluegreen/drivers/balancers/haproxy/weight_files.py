"""The weights on disk: HAProxy's map file, and a log of what changed since it was written.

A switch appends one line instead of rewriting the weights of every route, so that its cost does not grow
with their number. Rule: HAProxy never starts or reloads on a map that the log was not folded into; where
Docker may start it at any time, the log is folded at once and a switch costs the writing of the map.
"""

from __future__ import annotations

import os
from pathlib import Path

from bluegreen.drivers.balancers.haproxy import files
from bluegreen.drivers.balancers.haproxy.layout import Layout
from bluegreen.drivers.proxies.files import unwritable

_LONGEST_LOG = 16_384
"""Bytes after which the log is folded by the change that finds it so long."""


def append(folder: Path, layout: Layout, lines: str) -> None:
    """Add whole lines (``route value``) to the log, durably. Raises ``disk_full``."""
    path = folder / layout.routes_log
    is_new = not path.exists()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            before = os.fstat(descriptor).st_size
            _append(descriptor, lines, before)
        finally:
            os.close(descriptor)
        if is_new:
            files.sync_folder(folder)
    except OSError as error:
        raise unwritable(path, error) from None
    if before > _LONGEST_LOG:
        fold(folder, layout)


def fold(folder: Path, layout: Layout) -> None:
    """Bring the map up to date with the log and end the log. Whole again at any crash."""
    log = files.read(folder / layout.routes_log)
    base = files.read(folder / layout.routes_map)
    if log is None or base is None:
        return
    whole = log[: log.rfind("\n") + 1]  # a crash may have cut the last line: it was never acknowledged
    entries = dict(line.split(" ", 1) for line in (base + whole).splitlines())
    files.write(folder / layout.routes_map, "".join(f"{key} {value}\n" for key, value in entries.items()))
    files.remove([folder / layout.routes_log])


def _append(descriptor: int, lines: str, before: int) -> None:
    try:
        os.write(descriptor, lines.encode())
        os.fdatasync(descriptor)
    except OSError:
        os.ftruncate(descriptor, before)
        raise
