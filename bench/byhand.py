"""A release done by hand, as an expert would script it: create, start, prove, switch, drain.

Used by :mod:`bench.rows.deploy`. A hand-written HAProxy with two backends; the Engine's API and HAProxy's
socket by direct calls; nothing is recorded, checked by the balancer, or survives a crash.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from tests.support.ports import free_port

from bench.docker import EngineApi
from bench.peers import DEFAULTS, command
from bench.stacks import IMAGE
from bench.stage import haproxy

PROBE_EVERY = 0.05
_NETWORK = "byhand"
_COLORS = ("blue", "green")


class ByHand:
    def __init__(self, api: EngineApi, port: int, control: Path, table: Path) -> None:
        self.port = port
        self._api = api
        self._control = control
        self._table = table
        self._live: tuple[str, str] | None = None
        self._count = 0
        self._former = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def deploy(self, tag: str) -> None:
        """Return when all users are on ``tag`` and no request is left on what was there before."""
        self._count += 1
        name, color = f"byhand-{self._count}", _COLORS[self._count % 2]
        body = {"Image": f"{IMAGE}:{tag}", "HostConfig": {"NetworkMode": _NETWORK}}
        await self._api.call("POST", f"/containers/create?name={name}", body)
        await self._api.call("POST", f"/containers/{name}/start")
        found = await self._api.call("GET", f"/containers/{name}/json")
        address = f"{found['NetworkSettings']['Networks'][_NETWORK]['IPAddress']}:3000"
        await _answers(f"http://{address}/ping")
        await command(self._control, f"add server {color}/s{self._count} {address}")
        await command(self._control, f"enable server {color}/s{self._count}")
        await command(self._control, f"set map {self._table} web {color}")
        former, self._live = self._live, (color, name)
        if former is not None:
            await self._idle(former[0])
            self._former = former[1]

    async def retire(self) -> None:
        """Remove what the last deploy replaced: not part of its time, here as with bluegreen."""
        if self._former:
            color = _COLORS[(self._count - 1) % 2]
            target = f"{color}/s{self._count - 1}"
            await command(self._control, f"set server {target} state maint; del server {target}")
            await self._api.call("DELETE", f"/containers/{self._former}?force=true")
            self._former = ""

    async def _idle(self, backend: str) -> None:
        while True:
            rows = (await command(self._control, f"show stat {backend} 2 -1")).splitlines()
            fields = next(row for row in rows if row.startswith(f"{backend},BACKEND")).split(",")
            if int(fields[2] or 0) + int(fields[4] or 0) == 0:
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def by_hand(api: EngineApi) -> AsyncIterator[ByHand]:
    """Run the balancer, with nothing behind it yet."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder, port = Path(name), free_port()
        table, control = folder / "live.map", folder / "s"
        table.write_text("web green\n")
        config = f"""global
  stats socket {control} mode 600 level admin
{DEFAULTS}
frontend web
  bind 127.0.0.1:{port}
  use_backend %[str(web),map({table})]
backend blue
backend green
"""
        await api.call("POST", "/networks/create", {"Name": _NETWORK})
        with haproxy(config, folder, port):
            yield ByHand(api, port, control, table)


async def _answers(url: str, within: float = 20.0) -> None:
    """Probe every 50 ms until the first success."""
    deadline = time.monotonic() + within
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(1)) as session:
        while time.monotonic() < deadline:
            try:
                async with session.get(url) as answer:
                    if answer.status < 400:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(PROBE_EVERY)
    raise TimeoutError(f"{url}: no success within {within:g} s")
