"""The files in the folder that somebody else's NGINX includes: one folder for each generation, a link to one.

Called by :mod:`bluegreen.drivers.balancers.nginx.existing`. Rule: certificates are for the master only; what
workers read at each request, they can.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

import psutil

from bluegreen.drivers.balancers.nginx import files
from bluegreen.drivers.proxies.files import unwritable

LIVE = "live"
_PREFIX = "gen-"


def folder_of(folder: Path, generation: int) -> Path:
    return folder / f"{_PREFIX}{generation}"


def live(folder: Path) -> int:
    """Return the generation that is included, 0 for none."""
    try:
        name = os.readlink(folder / LIVE)
    except OSError:
        return 0
    number = name.removeprefix(_PREFIX)
    return int(number) if number.isdigit() else 0


def write(folder: Path, generation: int, texts: Mapping[str, str], workers: Collection[int]) -> None:
    """Write the files of ``generation``. Raises ``disk_full``, ``state_unwritable``."""
    target = folder_of(folder, generation)
    try:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(mode=0o755, parents=True)
        files.put_all(target, texts)
        group = _group(workers)
        for name in texts:
            if name.startswith("page-"):
                (target / name).chmod(0o644)
            elif name.startswith("users-"):
                os.chown(target / name, -1, group)
                (target / name).chmod(0o640)
    except OSError as error:
        raise unwritable(target, error) from None


def put_live(folder: Path, generation: int) -> None:
    """Include ``generation`` from the next start or reload on; with 0 nothing."""
    try:
        if generation == 0:
            (folder / LIVE).unlink(missing_ok=True)
            return
        candidate = folder / "candidate"
        candidate.unlink(missing_ok=True)
        candidate.symlink_to(folder_of(folder, generation).name)
    except OSError as error:
        raise unwritable(folder, error) from None
    files.rename(folder, candidate.name, LIVE)


def tidy(folder: Path, needed: Collection[int]) -> None:
    """Remove the files of all generations but those."""
    names = {folder_of(folder, generation).name for generation in needed}
    for path in folder.glob(f"{_PREFIX}*"):
        if path.name not in names:
            shutil.rmtree(path, ignore_errors=True)


def _group(workers: Collection[int]) -> int:
    """Return the group that workers run as; our own where there is none to ask."""
    for pid in workers:
        try:
            return int(psutil.Process(pid).gids().effective)
        except psutil.Error:
            continue
    return os.getgid()
