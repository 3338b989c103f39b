"""One network per stack: made when its first instance is created, removed with its last one.

Called by the runtime around creation and removal. The rule: no start fails because somebody else
removes the last instance at that moment, within this process (:meth:`Networks.needed`) or in
another one (a start that finds its network gone begins again).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bluegreen.drivers.runtimes.docker.body import STACK, network_name
from bluegreen.drivers.runtimes.docker.gateway import Gateway


class Networks:
    """The networks of the stacks on one Engine."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._wanted: Counter[str] = Counter()

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
        found = await self._gateway.call("GET", f"networks/{name}", what=what, accept={404})
        if found.status == 200:
            return
        body = {"Name": name, "CheckDuplicate": True, "Driver": "bridge", "Labels": {STACK: stack}}
        made = await self._gateway.call("POST", "networks/create", what=what, body=body, accept={409})
        if made.status == 201:
            await self._settle(name, made.body["Id"], what)

    async def discard(self, stack: str) -> None:
        """Remove the network of ``stack`` if it is ours and nothing of the stack is left."""
        if self._wanted[stack] or await self._in_use(stack):
            return
        name, what = network_name(stack), f"the network of stack {stack}"
        found = await self._gateway.call("GET", f"networks/{name}", what=what, accept={404})
        if found.status == 200 and (found.body.get("Labels") or {}).get(STACK) == stack:
            # 403 and 409: somebody joined it in the meantime, who will remove it.
            await self._gateway.call("DELETE", f"networks/{name}", what=what, accept={403, 404, 409})

    async def _in_use(self, stack: str) -> bool:
        filters = {"label": [f"{STACK}={stack}"]}
        params = {"all": True, "limit": 1, "filters": filters}
        listed = await self._gateway.call("GET", "containers/json", what=f"stack {stack}", params=params)
        return bool(listed.body) or bool(self._wanted[stack])

    async def _settle(self, name: str, own: str, what: str) -> None:
        """Give way to the older of two networks that two controllers made at the same moment.

        The Engine checks for a duplicate without a lock; two of one name would make it ambiguous.
        """
        listed = await self._gateway.call(
            "GET", "networks", what=what, params={"filters": json.dumps({"name": [name]})}
        )
        same: list[Any] = [network for network in listed.body if network["Name"] == name]
        oldest = min(same, key=lambda network: (network["Created"], network["Id"]), default={"Id": own})
        if oldest["Id"] != own:
            await self._gateway.call("DELETE", f"networks/{own}", what=what, accept={403, 404, 409})
