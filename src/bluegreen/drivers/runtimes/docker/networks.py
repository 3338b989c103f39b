"""One network per stack: made when its first instance is created, removed with its last one.

Called by the runtime around creation and removal. The rule: no start fails because somebody else
removes the last instance at that moment, within this process (:meth:`Networks.needed`) or in
another one (a start that finds its network gone begins again).
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from bluegreen.drivers.runtimes.docker.body import STACK, network_name
from bluegreen.drivers.runtimes.docker.gateway import Gateway


class Networks:
    """The networks of the stacks on one Engine."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._wanted: Counter[str] = Counter()
        self._making: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def needed(self, stack: str) -> AsyncIterator[None]:
        """Keep the network of ``stack`` from being removed while the block runs."""
        self._wanted[stack] += 1
        try:
            yield
        finally:
            self._wanted[stack] -= 1

    async def ensure(self, stack: str) -> None:
        """Make the network of ``stack`` if it is missing. An existing one of that name is used.

        Raises ``Permanent`` (``network_pool_exhausted``).
        """
        name, what = network_name(stack), f"the network of stack {stack}"
        async with self._making[stack]:
            found = await self._named(name, what)
            if not found:
                body = {"Name": name, "CheckDuplicate": True, "Driver": "bridge", "Labels": {STACK: stack}}
                await self._gateway.call("POST", "networks/create", what=what, body=body, accept={409})
                found = await self._named(name, what)
            await self._leave_one(found, what)

    async def connect(self, network: str, container: str, aliases: Collection[str]) -> bool:
        """Give a container an address in ``network``; false when one of the two is no longer there."""
        what = f"network {network}"
        body = {"Container": container, "EndpointConfig": {"Aliases": list(aliases)}}
        path = f"networks/{network}/connect"
        # 403: somebody else has connected it meanwhile.
        answer = await self._gateway.call("POST", path, what=what, body=body, accept={403, 404})
        return answer.status != 404

    async def discard(self, stack: str) -> None:
        """Remove the network of ``stack`` if it is ours and nothing of the stack is left."""
        if self._wanted[stack] or await self._in_use(stack):
            return
        what = f"the network of stack {stack}"
        for network in await self._named(network_name(stack), what):
            if (network.get("Labels") or {}).get(STACK) == stack:
                await self._delete(network["Id"], what)

    async def _in_use(self, stack: str) -> bool:
        filters = {"label": [f"{STACK}={stack}"]}
        params = {"all": True, "limit": 1, "filters": filters}
        listed = await self._gateway.call("GET", "containers/json", what=f"stack {stack}", params=params)
        return bool(listed.body) or bool(self._wanted[stack])

    async def _named(self, name: str, what: str) -> list[dict[str, Any]]:
        """Return the networks of exactly that name, oldest first."""
        params = {"filters": json.dumps({"name": [name]})}
        listed = await self._gateway.call("GET", "networks", what=what, params=params)
        same = (network for network in listed.body if network["Name"] == name)
        return sorted(same, key=lambda network: (network["Created"], network["Id"]))

    async def _leave_one(self, networks: list[dict[str, Any]], what: str) -> None:
        """Remove all but one of several networks of one name: the oldest stays, or the one in use.

        The Engine checks for a duplicate without a lock, so two controllers can make two at the same
        moment; by their name neither could then be used, nor removed.
        """
        surplus = len(networks) - 1
        for network in reversed(networks):
            if surplus > 0 and await self._delete(network["Id"], what):
                surplus -= 1

    async def _delete(self, network: str, what: str) -> bool:
        """Return whether the network is gone; it stays when somebody joined it in the meantime."""
        answer = await self._gateway.call("DELETE", f"networks/{network}", what=what, accept={403, 404, 409})
        return answer.status not in (403, 409)
