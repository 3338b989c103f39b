"""Announcements at the agent, and what all of Consul knows of them.

They belong to the agent, which checks them and tells the servers: it keeps them when the announcer ends, and
tells them again when the servers forget. Rule: what is announced counts as told when the *servers* show it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bluegreen.drivers.registries.consul import refusals
from bluegreen.drivers.registries.consul.client import Client
from bluegreen.drivers.registries.consul.entries import STACK, Registration

SIDE_BY_SIDE = 16
"""Requests at a time: the agent writes each registration to its disk."""

FEW = 8
"""Services that are asked for by name; where there are more, the nodes may be fewer questions."""

LONGEST_PAUSE = 0.25

Entry = Mapping[str, Any]
A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class _Held:
    """Entries of a stack as the servers show them: ours by ID, and those that other agents hold."""

    own: Mapping[str, Entry]
    foreign: tuple[Entry, ...]


class Services:
    """The services of stacks. ``settle`` bounds how long the servers may need to see a change."""

    def __init__(self, client: Client, settle: float) -> None:
        self._client = client
        self._settle = settle
        self._node = ""

    async def entries(self, stack: str, also: Iterable[str] = ()) -> list[Entry]:
        """Return Consul's entries (node, service, checks) of a stack; ``also`` names services to ask for."""
        what = f"listing the instances of {stack}"
        names = (await self._client.read("catalog/services", what=what)).json(dict)
        asked = {name for name, tags in names.items() if stack in (tags or ())} | set(also)
        if len(asked) > FEW:
            nodes = (await self._client.read("catalog/nodes", what=what)).json(list)
            if len(nodes) < len(asked):
                return await self._by_node(stack, [str(node.get("Node")) for node in nodes], what)
        chosen = {"filter": f'Service.Meta["{STACK}"] == {json.dumps(stack)}'}

        async def of(name: str) -> list[Entry]:
            answer = await self._client.read(f"health/service/{name}", what=what, params=chosen)
            entries: list[Entry] = answer.json(list)
            if not all(isinstance(e, dict) and isinstance(e.get("Service"), dict) for e in entries):
                raise refusals.down(
                    answer.where, what, f"this is no answer of Consul: {answer.words[:200]!r}"
                )
            return entries

        return [entry for part in await _bounded(of, sorted(asked)) for entry in part]

    async def _by_node(self, stack: str, nodes: Collection[str], what: str) -> list[Entry]:
        """Return the same by asking for nodes, of which there are fewer than services."""
        ours = {"filter": f'Meta["{STACK}"] == {json.dumps(stack)}'}
        tagged = {"filter": f'ServiceTags contains {json.dumps(stack)} or ServiceID == ""'}

        async def of(node: str) -> list[Entry]:
            found = (await self._client.read(f"catalog/node/{node}", what=what, params=ours)).json(dict)
            services = found.get("Services") or {}
            if not services:
                return []
            checks = (await self._client.read(f"health/node/{node}", what=what, params=tagged)).json(list)
            return [
                {
                    "Node": found["Node"],
                    "Service": service,
                    "Checks": [c for c in checks if c.get("ServiceID") in ("", key)],
                }
                for key, service in services.items()
            ]

        return [entry for part in await _bounded(of, nodes) for entry in part]

    async def are_held(self, stack: str, wanted: Mapping[str, Registration]) -> bool:
        """Whether the agent holds exactly ``wanted`` (by ID)."""
        held = await self._at_the_agent(stack)
        return held.keys() == wanted.keys() and all(wanted[key].is_held(held[key]) for key in held)

    async def make(self, stack: str, wanted: Mapping[str, Registration]) -> None:
        """Make ``wanted`` (by ID) the services of ``stack``; returns when the servers show it.

        What is right is not touched, so that its checks keep their state. What is new comes before what
        is old goes.
        """
        held = await self._at_the_agent(stack)
        fresh = [one for key, one in wanted.items() if key not in held or not one.is_held(held[key])]
        await _bounded(self._register, fresh)
        await _bounded(self._deregister, [key for key in held if key not in wanted])
        names = {one.body["Name"] for one in wanted.values()} | {str(s.get("Service")) for s in held.values()}
        await self._seen(stack, wanted, names)

    async def _at_the_agent(self, stack: str) -> dict[str, Entry]:
        answer = await self._client.call(
            "GET",
            "agent/services",
            what=f"looking at the agent's instances of {stack}",
            params={"filter": f'Meta["{STACK}"] == {json.dumps(stack)}'},
        )
        held: dict[str, Entry] = answer.json(dict)
        if not all(isinstance(one, dict) for one in held.values()):
            raise refusals.down(
                answer.where, answer.what, f"this is no answer of Consul: {answer.words[:200]!r}"
            )
        return held

    async def _register(self, one: Registration) -> None:
        # Checks that are no longer wanted go, those that stay keep their state; the service is never absent.
        await self._client.call(
            "PUT",
            "agent/service/register",
            what=f"announcing {one.announcement.instance}",
            params={"replace-existing-checks": "true"},
            body=one.body,
        )

    async def _deregister(self, key: str) -> None:
        what = f"withdrawing {key}"
        await self._client.call("PUT", f"agent/service/deregister/{key}", what=what, accept=(404,))

    async def _seen(self, stack: str, wanted: Mapping[str, Registration], names: Collection[str]) -> None:
        """Wait until the servers show ``wanted``. What other agents hold of the stack is taken out once."""
        taken_out, pause = False, 0.01
        try:
            async with asyncio.timeout(self._settle):
                while True:
                    held = await self._held(stack, names)
                    if held.foreign and not taken_out:
                        await _bounded(self._take_out, held.foreign)
                        taken_out = True
                    if held.own.keys() == wanted.keys() and all(
                        wanted[key].is_held(entry["Service"]) for key, entry in held.own.items()
                    ):
                        return
                    await asyncio.sleep(pause)
                    pause = min(LONGEST_PAUSE, pause * 2)
        except TimeoutError:
            reason = f"after {self._settle:g} s its servers do not show what the agent was told"
            raise refusals.down(self._client.where, f"announcing {stack}", reason) from None

    async def _held(self, stack: str, names: Collection[str]) -> _Held:
        entries = await self.entries(stack, names)
        if any(_node(entry) != self._node for entry in entries):
            self._node = await self._own_node()
        own = {entry["Service"]["ID"]: entry for entry in entries if _node(entry) == self._node}
        return _Held(own, tuple(entry for entry in entries if _node(entry) != self._node))

    async def _own_node(self) -> str:
        answer = await self._client.call("GET", "agent/self", what="asking the agent for its name")
        config = answer.json(dict).get("Config")
        return str(config.get("NodeName")) if isinstance(config, dict) else ""

    async def _take_out(self, entry: Entry) -> None:
        """Remove what an agent left behind that is gone; one that is there tells it again by itself."""
        key = entry["Service"]["ID"]
        body = {"Node": _node(entry), "ServiceID": key}
        await self._client.call("PUT", "catalog/deregister", what=f"withdrawing {key}", body=body)


def _node(entry: Entry) -> str:
    node = entry.get("Node")
    return str(node.get("Node")) if isinstance(node, dict) else ""


async def _bounded(call: Callable[[A], Awaitable[B]], arguments: Collection[A]) -> list[B]:
    """Return the answers of all calls, in order, some at a time; the first error ends the others."""
    gate = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(argument: A) -> B:
        async with gate:
            return await call(argument)

    tasks = [asyncio.create_task(one(argument)) for argument in arguments]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
