"""``python -m bench.watchers URL PATH COUNT``: so many browsers that have a page of the dashboard open.

Each does what the page's scripts do: it holds the stream, fetches the part that changes when told to, and the
counters of the chart. The token is read from ``BLUEGREEN_TOKEN``. Prints a line once all of them are told
something, and what they did when its input ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

_AT_ONCE = 5
"""Pages that are being opened at the same time."""


@asynccontextmanager
async def watching(url: str, path: str, count: int, token: str) -> AsyncIterator[Counter[str]]:
    """Have ``count`` browsers watch until the block ends; then the counter says what they did."""
    did: Counter[str] = Counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.watchers", url, path, str(count)),
        env={**os.environ, "BLUEGREEN_TOKEN": token},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120):
            await process.stdout.readline()
        yield did
        process.stdin.close()
        async with asyncio.timeout(20):
            did.update(json.loads(await process.stdout.readline()))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class _Crowd:
    def __init__(self, session: aiohttp.ClientSession, path: str, count: int) -> None:
        self._session = session
        self._path = path
        self._missing = count
        self._opening = asyncio.Semaphore(_AT_ONCE)
        self.ready = asyncio.Event()
        self.did: Counter[str] = Counter()

    async def watch(self) -> None:
        async with self._opening:
            await self._fetch(self._path, "pages")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._chart())
            await self._follow()

    async def _follow(self) -> None:
        looking = asyncio.Lock()  # a page is fetched once at a time
        heard = False
        async with asyncio.TaskGroup() as group, self._session.get("/live") as stream:
            async for line in stream.content:
                if not line.startswith(b"event:"):
                    continue
                if not heard:
                    self._arrived()
                heard = True
                self.did["signs"] += 1
                if line.split()[1] == b"changed" and not looking.locked():
                    group.create_task(self._look(looking))
        raise RuntimeError("the stream ended")

    async def _look(self, looking: asyncio.Lock) -> None:
        async with looking:
            await self._fetch(self._path, "looks", {"HX-Request": "true"})

    async def _chart(self) -> None:
        at = 0.0
        while True:
            found = json.loads(await self._fetch(f"{self._path}/counters?after={at}", "counters"))
            at = max((sample["at"] for sample in found["samples"]), default=at)
            await asyncio.sleep(found["every"])

    async def _fetch(self, path: str, kind: str, headers: dict[str, str] | None = None) -> bytes:
        async with self._session.get(path, headers=headers) as answer:
            answer.raise_for_status()
            self.did[kind] += 1
            return await answer.read()

    def _arrived(self) -> None:
        self._missing -= 1
        if self._missing == 0:
            self.ready.set()


async def _main(url: str, path: str, count: int) -> None:
    async with aiohttp.ClientSession(
        url,
        headers={"Authorization": f"Bearer {os.environ['BLUEGREEN_TOKEN']}"},
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None),
    ) as session:
        crowd = _Crowd(session, path, count)
        tasks = [asyncio.create_task(crowd.watch()) for _ in range(count)]
        ready = asyncio.create_task(crowd.ready.wait())
        done, _ = await asyncio.wait([ready, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for failed in done - {ready}:
            failed.result()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        print(json.dumps(crowd.did), flush=True)


if __name__ == "__main__":
    os.nice(19)  # browsers are on other machines: they take no time from this one's controller
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
