"""Prometheus' own judge of metrics and rules."""

from __future__ import annotations

import fcntl
import functools
import os
import subprocess
from pathlib import Path

from tests.support.images import REPOSITORY


@functools.cache
def program() -> Path:
    """Return promtool, fetched when the cache lacks it."""
    cache = Path(os.environ.get("BLUEGREEN_CACHE") or REPOSITORY / ".cache")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "promtool.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fetch = [REPOSITORY / "scripts" / "fetch-promtool", cache / "promtool"]
        done = subprocess.run(fetch, check=True, capture_output=True, text=True, timeout=300)
    return Path(done.stdout.strip())


def check(*arguments: str, said: str = "") -> str:
    """Return what ``promtool check …`` complains of, empty when it is content."""
    command = [str(program()), "check", *arguments]
    done = subprocess.run(command, input=said, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr if done.returncode or done.stderr else ""
