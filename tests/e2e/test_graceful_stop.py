"""An instance ends as its application needs it: told before, by its own signal, in its own time; and what
is open when the color changes ends, or is cut, as the service says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx

from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.spec import Mount
from bluegreen.domain.stack import StackSpec
from tests.e2e.conftest import Build
from tests.e2e.sickness import seen
from tests.e2e.test_no_request_fails import unharmed
from tests.support.house import APP, House, managed, sample
from tests.support.waiting import until

ASK = (
    "import os,socket;s=socket.create_connection(('127.0.0.1',int(os.environ.get('PORT',3000))));"
    "s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n');print(s.recv(99))"
)
"""Asks the instance in which it runs for its first page."""


def ending(house: House, folder: Path) -> StackSpec:
    """``web`` listens to INT alone and is asked before; ``deaf`` listens to nothing."""
    mounts = (Mount(target=str(folder), source=str(folder)),)
    ignoring = {"IGNORE_TERM": "1"}
    before = ("sh", "-c", f'python3 -c "{ASK}" > {folder}/pre_stop 2>&1')
    stack = managed(
        house.port,
        environment=ignoring,
        stop_signal="INT",
        stop_grace=20.0,
        pre_stop=before,
        mounts=mounts,
    )
    deaf = sample("deaf", "0.0.1", environment=ignoring, stop_grace=0.5)
    return replace(stack, services=(*stack.services, deaf))


def test_pre_stop_then_the_services_own_signal_then_its_grace(build: Build, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    async def main() -> None:
        async with build() as house:
            await house.up(ending(house, tmp_path))
            for service in ("web", "deaf"):
                stopped = await house.cli("service", "stop", "--force", service)
                assert stopped.code == 0, stopped
            await until(lambda: both_ended(house), timeout=15.0)
            told = (tmp_path / "pre_stop").read_text()
            assert "200 OK" in told, told  # it still served when it was told
            assert "exit code 0" in (await seen(house, "web"))["shop-web-r1-1"]["why"]
            why = (await seen(house, "deaf"))["shop-deaf-r1-1"]["why"]
            assert "exit code 137" in why or "exit code -9" in why, why

    asyncio.run(main())


async def both_ended(house: House) -> bool:
    found = [*(await seen(house, "web")).values(), *(await seen(house, "deaf")).values()]
    return [one["state"] for one in found] == ["exited", "exited"]


def test_a_request_in_flight_ends_although_its_color_is_gone(build: Build) -> None:
    async def main() -> None:
        async with build() as house:
            brief = RolloutPolicy(start_deadline=20.0, bake=0.1, drain=20.0)
            await house.up(managed(house.port, rollout=brief))
            async with (
                httpx.AsyncClient(verify=False) as client,
                house.users(slow_path="/slow?seconds=0.5") as load,
            ):
                asked = asyncio.create_task(client.get(f"{house.url}/slow?seconds=3", timeout=20.0))
                await until(lambda: in_flight(house), timeout=5.0)
                rollout = await house.deploy("web", "0.0.2")
                ended = await house.final(rollout["id"])
                assert ended["phase"] == "done", ended
                answer = await asked
                assert (answer.status_code, answer.headers["x-version"]) == (200, "0.0.1")
                unharmed(await load.stop())

    asyncio.run(main())


async def in_flight(house: House) -> bool:
    return any(one["in_flight"] for one in (await seen(house)).values())


@asynccontextmanager
async def listening(house: House) -> AsyncIterator[Listener]:
    """An event stream through the balancer, read until it ends."""
    listener = Listener(house.url)
    task = asyncio.create_task(listener.read())
    try:
        await until(lambda: listener.lines > 1, timeout=10.0)
        yield listener
    finally:
        task.cancel()


class Listener:
    """``lines`` that came, the ``version`` that sent them, and whether it ``ended``."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.lines = 0
        self.version = ""
        self.ended = False

    async def read(self) -> None:
        try:
            async with (
                httpx.AsyncClient(verify=False, timeout=20.0) as client,
                client.stream("GET", f"{self._url}/events?every=0.1") as answer,
            ):
                self.version = answer.headers["x-version"]
                async for line in answer.aiter_lines():
                    self.lines += bool(line)
        except httpx.TransportError:
            pass  # cut, not ended
        self.ended = True


def test_without_cut_after_an_event_stream_lives_until_its_color_retires(build: Build) -> None:
    async def main() -> None:
        async with build() as house:
            await house.up(
                managed(house.port, rollout=RolloutPolicy(start_deadline=20.0, bake=60.0, drain=1.0))
            )
            async with listening(house) as stream:
                rollout = await house.deploy("web", "0.0.2")
                assert rollout["phase"] == "baking", rollout
                heard = stream.lines
                await until(lambda: stream.lines > heard + 5, timeout=10.0)
                assert (stream.version, stream.ended) == ("0.0.1", False)
                assert await house.version() == "0.0.2"
                third = await house.deploy("web", "0.0.1")  # ends the bake: the old color retires
                assert third["outcome"]["exit_code"] == 0, third
                await until(lambda: stream.ended, timeout=20.0)

    asyncio.run(main())


def test_with_cut_after_what_never_ends_comes_back_to_the_new_color(build: Build) -> None:
    cut = RolloutPolicy(start_deadline=20.0, bake=60.0, drain=30.0, cut_after=2.0)

    async def main() -> None:
        async with build() as house:
            await house.up(managed(house.port, rollout=cut))
            async with (
                listening(house) as stream,
                upgraded(house) as socket,
                house.users(slow_path="/slow?seconds=0.3") as load,
            ):
                assert await echoed(socket, b"before") == b"before"
                began = await house.post("/v1/services/web/deploy", {"image": f"{APP}:0.0.2"})
                await until(lambda: stream.ended, timeout=20.0)
                assert stream.version == "0.0.1"
                assert await echoed(socket, b"after") == b""  # closed
                rollout = await house.settled(began["rollout"]["id"])
                assert rollout["phase"] == "baking", rollout
                async with listening(house) as again, upgraded(house) as other:
                    assert again.version == "0.0.2"
                    assert await echoed(other, b"hello") == b"hello"
                unharmed(await load.stop())

    asyncio.run(main())


Socket = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def upgraded(house: House) -> AsyncIterator[Socket]:
    """A connection through the balancer that became one of bytes, as a WebSocket is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    try:
        writer.write(b"GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n")
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in head, head
        yield reader, writer
    finally:
        writer.close()


async def echoed(socket: Socket, words: bytes) -> bytes:
    """Return what comes back; nothing once the connection is closed."""
    reader, writer = socket
    try:
        writer.write(words)
        async with asyncio.timeout(10):
            return await reader.read(len(words))
    except ConnectionError:
        return b""
