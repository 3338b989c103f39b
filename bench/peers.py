"""Other ways to switch, measured beside ours: HAProxy's bare ``set map`` and NGINX's reload.

Used by :mod:`bench.rows.peers` and :mod:`bench.rows.switch`. Each is a context manager that yields a
:class:`Peer`: two instances of the sample application behind a proxy, version 1 live.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_port

from bench.stage import application, haproxy, nginx, nginx_config
from bench.switching import VERSIONS

DEFAULTS = """defaults
  mode http
  timeout connect 5s
  timeout client 50s
  timeout server 50s
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """Where users come in, and how all of their requests are given to another version."""

    url: str
    switch: Callable[[str], Awaitable[None]]


@contextmanager
def set_map() -> Iterator[Peer]:
    """Run a hand-written HAProxy that is switched by one ``set map`` on its unix socket."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        application("1") as one,
        application("2") as two,
    ):
        folder, port = Path(name), free_port()
        table, control = folder / "live.map", folder / "s"
        table.write_text("web v1\n")
        config = f"""global
  stats socket {control} mode 600 level admin
{DEFAULTS}
frontend web
  bind 127.0.0.1:{port}
  use_backend %[str(web),map({table})]
backend v1
  server s 127.0.0.1:{one}
backend v2
  server s 127.0.0.1:{two}
"""

        async def switch(version: str) -> None:
            await command(control, f"set map {table} web v{version}")

        with haproxy(config, folder, port):
            yield Peer(f"http://127.0.0.1:{port}", switch)


async def command(control: Path, text: str) -> str:
    """Send one command to HAProxy's socket; return the answer."""
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_unix_connection(control)
        try:
            writer.write(text.encode() + b"\n")
            return (await reader.read()).decode()
        finally:
            writer.close()
            await writer.wait_closed()


@contextmanager
def nginx_reload() -> Iterator[Peer]:
    """Run an NGINX that is switched by rewriting its upstream and ``SIGHUP``, as its manual says."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        application("1") as one,
        application("2") as two,
    ):
        folder, port = Path(name), free_port()
        targets = dict(zip(VERSIONS, (one, two), strict=True))

        def config(version: str) -> str:
            body = f"""upstream web {{ server 127.0.0.1:{targets[version]}; keepalive 32; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{ proxy_pass http://web; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}"""
            return nginx_config(folder, body, workers=os.cpu_count() or 1)

        with nginx(config("1"), folder, port) as process:

            async def switch(version: str) -> None:
                (folder / "nginx.conf").write_text(config(version))
                process.send_signal(signal.SIGHUP)

            yield Peer(f"http://127.0.0.1:{port}", switch)
