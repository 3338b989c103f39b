"""What a reader needs to know of the machine; nothing that names it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence

from bench.stage import haproxy_binary

_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)*")


def describe() -> dict[str, str]:
    """Return cores, memory, kernel and the versions of all programs involved."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {_first_version(platform.release())}",
        "Python": platform.python_version(),
        "HAProxy": _version([haproxy_binary(), "-v"]),
        "NGINX": _version(["nginx", "-v"]),
        "Docker Engine": _version(["dockerd", "--version"]),
    }


def _version(argv: Sequence[str]) -> str:
    if shutil.which(argv[0]) is None:
        return "not installed"
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    return _first_version(done.stdout + done.stderr)


def _first_version(text: str) -> str:
    found = _VERSION.search(text)
    return found[0] if found else "unknown"
