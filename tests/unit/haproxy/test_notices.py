"""What HAProxy says of its servers, word for word as 2.6, 2.8 and 3.0 say it, and how it is handed on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import cast

import pytest

from bluegreen.domain.naming import PoolId
from bluegreen.domain.routing import BalancerEvent, ServerHealth
from bluegreen.drivers.balancers.haproxy.cutting import streams
from bluegreen.drivers.balancers.haproxy.members import Members
from bluegreen.drivers.balancers.haproxy.notices import Notices, read_notice

Events = AsyncGenerator[BalancerEvent, None]

POOL = PoolId("shop.web.blue")
LEFT = "1 active and 2 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.\n"
ONLINE = "2 active and 2 backup servers online. 0 sessions requeued, 0 total in queue.\n"
DOWN = f"Server {POOL}/web-1:2 is DOWN, changed from CLI. {LEFT}".encode()
MEMBERS = Members({POOL: {"web-1": "web-1:2"}}, [POOL])


@pytest.mark.parametrize(
    ("said", "health", "why"),
    [
        (
            f'Server {POOL}/web-1 is DOWN, reason: Layer7 wrong status, code: 500, info: "No. 1", '
            f"check duration: 4ms. 0 active and 2 backup servers left. Running on backup. {LEFT[40:]}",
            ServerHealth.DOWN,
            'Layer7 wrong status, code: 500, info: "No. 1", check duration: 4ms',
        ),
        (
            f"Server {POOL}/web-1 is UP, reason: Layer7 check passed, code: 200, check duration: 3ms. "
            f"{ONLINE}",
            ServerHealth.UP,
            "Layer7 check passed, code: 200, check duration: 3ms",
        ),
        (
            f'Server {POOL}/web-1 is DOWN, reason: Health analyze, info: "Detected 3 consecutive errors, '
            f'last one was: Wrong http response". {LEFT}',
            ServerHealth.DOWN,
            'Health analyze, info: "Detected 3 consecutive errors, last one was: Wrong http response"',
        ),
        (f"Server {POOL}/web-1 is DOWN, changed from CLI. {LEFT}", ServerHealth.DOWN, "changed from CLI"),
    ],
)
def test_what_a_check_found_is_read(said: str, health: ServerHealth, why: str) -> None:
    notice = read_notice(said.encode())
    assert notice is not None
    assert (notice.pool, notice.server, notice.health, notice.why) == (POOL, "web-1", health, why)


@pytest.mark.parametrize(
    "said",
    [
        f"Server {POOL}/web-1 is UP/READY (leaving forced maintenance).\n",
        f"Server {POOL}/web-1 is DOWN (leaving forced drain).\n",
        f"Server {POOL}/web-1 is going DOWN for maintenance. {LEFT}",
        f"Server {POOL}/web-1 enters drain state. {LEFT}",
        f"backend {POOL} has no server available!\n",
        f"Proxy {POOL} stopped (cumulated conns: FE: 0, BE: 3).\n",
        f"x Server {POOL}/web-1 is DOWN, changed from CLI. {LEFT}",
        "Server a/b/c is DOWN, changed from CLI. " + LEFT,
        "",
        "\0\xff",
    ],
)
def test_all_else_is_ignored(said: str) -> None:
    assert read_notice(said.encode("latin-1")) is None


def play(folder: Path, scenario: Callable[[Notices, Events], Awaitable[None]]) -> None:
    async def main() -> None:
        notices = Notices(folder, lambda: MEMBERS)
        async with asyncio.timeout(10), aclosing(_events(notices)) as events:
            assert (await anext(events)).pool is None
            await scenario(notices, events)

    asyncio.run(main())


def _events(notices: Notices) -> Events:
    return cast(Events, notices.events())


def say(folder: Path, *said: bytes) -> int:
    """Send datagrams as HAProxy does; return how many were taken."""
    taken = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.connect(str(folder / "events.sock"))
        for one in said:
            try:
                taken += sender.send(one) > 0
            except BlockingIOError:
                break
    return taken


def test_an_event_has_the_servers_own_name(tmp_path: Path) -> None:
    async def scenario(notices: Notices, events: Events) -> None:
        former = DOWN.replace(b":2", b"")
        say(tmp_path, former, DOWN.replace(b":2", b":2:last"), b"Backup " + former, DOWN)
        event = await anext(events)
        assert (event.pool, event.server, event.health) == (POOL, "web-1", ServerHealth.DOWN)

    play(tmp_path, scenario)


def test_a_full_socket_may_have_lost_some(tmp_path: Path) -> None:
    async def scenario(notices: Notices, events: Events) -> None:
        taken = say(tmp_path, *[DOWN] * 5000)  # all before we come to read: more than it holds
        told = [(await anext(events)).pool for _ in range(taken + 1)] if taken < 1000 else [None]
        assert told[-1] is None

    play(tmp_path, scenario)


def test_a_reader_that_is_slow_is_told_that_it_missed_some(tmp_path: Path) -> None:
    async def scenario(notices: Notices, events: Events) -> None:
        for _ in range(1001):
            notices.lost()
        say(tmp_path, DOWN)
        seen = [await anext(events), await anext(events)]
        assert [event.pool for event in seen] == [None, POOL]

    play(tmp_path, scenario)


def test_two_readers_hear_the_same_and_a_next_one_takes_the_place_over(tmp_path: Path) -> None:
    async def scenario(notices: Notices, events: Events) -> None:
        async with aclosing(_events(notices)) as others:
            assert (await anext(others)).pool is None
            say(tmp_path, DOWN)
            assert [(await anext(each)).pool for each in (events, others)] == [POOL, POOL]
        async with aclosing(_events(Notices(tmp_path, lambda: None))) as successors:
            assert (await anext(successors)).pool is None
            say(tmp_path, DOWN)
            assert (await anext(successors)).pool is None, "what the name means is not known yet"

    play(tmp_path, scenario)


def test_a_folder_with_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 100) / ("b" * 100)
    deep.mkdir(parents=True)

    async def scenario(notices: Notices, events: Events) -> None:
        assert oct((deep / "events.sock").stat().st_mode & 0o777) == "0o600"
        assert [path.name for path in deep.iterdir()] == ["events.sock"]

    play(deep, scenario)


def test_streams_of_a_pool_are_told_from_all_others() -> None:
    line = "{}: proto=tcpv4 src=127.0.0.1:{} fe=listener:80 be={} srv={} ts=00 epoch=0 age=0s calls=2\n"
    shown = (
        line.format("0x1a", 1, POOL, "web-1")
        + line.format("0x2", 2, POOL, "web-1:last")
        + line.format("0x3", 3, POOL, "<none>")
        + line.format("0x4", 4, "shop.web.green", "web-1")
        + line.format("0x5", 5, "<NONE>", "<none>").replace("127.0.0.1", "unix")
    )
    assert streams(POOL, shown) == {("0x1a", "127.0.0.1:1"), ("0x2", "127.0.0.1:2")}
