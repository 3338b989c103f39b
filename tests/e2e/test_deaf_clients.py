"""Clients of the event stream that never read, on real sockets: hung up on, and users notice nothing."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil

from tests.e2e.test_no_request_fails import unharmed
from tests.support.house import House, two_colors
from tests.support.waiting import until

DEAF = 100
EVENTS = 300
"""With :data:`WHY` in each, more than the kernel and the server keep for a client that does not read."""

WHY = "the sale runs until Monday. " * 17

MIB = 1024 * 1024
ALLOWED = 1.0 * MIB
"""Bytes of memory that a client may cost which asks for all that ever happened and takes none of it."""


async def many_events(house: House) -> None:
    transport = httpx.AsyncHTTPTransport(uds=str(house.home / "bluegreen.sock"), verify=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://controller", verify=False) as client:
        for _ in range(EVENTS):
            answer = await client.put("/v1/services/webx-green/lock", json={"why": WHY})
            assert answer.status_code == 200, answer.text
        await client.delete("/v1/services/webx-green/lock")


@contextmanager
def deaf_clients(house: House) -> Iterator[list[socket.socket]]:
    """Have clients ask for every event from the first one on, and read nothing."""
    asked = b"GET /v1/events/stream HTTP/1.1\r\nHost: controller\r\nLast-Event-ID: 0\r\n\r\n"
    clients = [socket.socket(socket.AF_UNIX) for _ in range(DEAF)]
    try:
        for client in clients:
            client.settimeout(20.0)
            client.connect(str(house.home / "bluegreen.sock"))
            client.sendall(asked)
        yield clients
    finally:
        for client in clients:
            client.close()


def are_hung_up_on(clients: list[socket.socket]) -> bool:
    poll = select.poll()
    for client in clients:
        poll.register(client, select.POLLHUP)
    return len(poll.poll(0)) == len(clients)


async def switch(house: House, target: str) -> None:
    begun = await house.post("/v1/routes/lbx/switch", {"target": target})
    await house.settled(begun["rollout"]["id"])


def test_who_never_reads_is_hung_up_on_and_costs_users_nothing() -> None:
    async def main() -> None:
        async with House.standing() as house:
            await house.up(two_colors(house.port))
            await many_events(house)
            controller = psutil.Process((await house.get("/v1/about"))["pid"])
            before = controller.memory_info().rss
            async with house.users() as load:
                with deaf_clients(house) as clients:
                    await switch(house, "webx-blue")
                    await until(lambda: are_hung_up_on(clients), timeout=90.0)
                    await switch(house, "webx-green")
                grown = controller.memory_info().rss - before
                unharmed(await load.stop())
            assert grown < DEAF * ALLOWED, f"{grown / MIB:.0f} MiB"

    asyncio.run(main())
