"""Documents that end with their reporter: keys that a session holds, which deletes them when it ends.

The session is kept alive by :meth:`Reports.renew`. Rule: it hangs on nothing but that, not on the health of
the agent's node, and leaves no lock behind that would keep a new one away.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from bluegreen.domain.errors import BluegreenError
from bluegreen.drivers.registries.consul import refusals
from bluegreen.drivers.registries.consul.client import Client
from bluegreen.drivers.registries.consul.documents import encode

ReportKey = tuple[str, str]
"""Stack and key."""


class Reports:
    """What one reporter says of itself, below ``prefix``; ``ttl`` is in seconds."""

    def __init__(self, client: Client, prefix: str, ttl: float) -> None:
        self._client = client
        self._prefix = prefix
        self._ttl = ttl
        self._session = ""
        self._texts: dict[ReportKey, str] = {}
        self._held: set[ReportKey] = set()
        self._turn = asyncio.Lock()

    @property
    def rhythm(self) -> float:
        """Seconds between two renewals: two may fail."""
        return self._ttl / 3

    async def report(self, stack: str, key: str, text: str) -> None:
        async with self._turn:
            if text:
                self._texts[stack, key] = text
                await self._hold(stack, key, text)
            else:
                self._texts.pop((stack, key), None)
                self._held.discard((stack, key))
                what = f"taking {key} of {stack} back"
                await self._client.call("DELETE", self._path(stack, key), what=what)

    async def renew(self) -> None:
        """Keep the session alive; begin a new one, with all that was reported, where it was lost."""
        async with self._turn:
            if self._session:
                path = f"session/renew/{self._session}"
                answer = await self._client.call("PUT", path, what="renewing the session", accept=(404,))
                if answer.status == 404:
                    self._lost()
            for (stack, key), text in tuple(self._texts.items()):
                if (stack, key) not in self._held:
                    await self._hold(stack, key, text)

    def _lost(self) -> None:
        self._session = ""
        self._held.clear()

    async def close(self) -> None:
        """Take all reports back, if Consul answers; else they vanish by themselves."""
        if self._session:
            with suppress(BluegreenError):
                path = f"session/destroy/{self._session}"
                await self._client.call("PUT", path, what="ending the session")

    async def _hold(self, stack: str, key: str, text: str) -> None:
        what = f"reporting {key} of {stack}"
        self._held.discard((stack, key))
        for _ in range(3):
            words = await self._acquire(self._path(stack, key), what, text)
            if words == "true":
                self._held.add((stack, key))
                return
            if words == "false":
                await self._release(self._path(stack, key), what, text)
            else:
                self._lost()
        raise refusals.conflict(what, "another session holds it")

    async def _acquire(self, path: str, what: str, text: str) -> str:
        """Return Consul's verdict: ``true``, ``false`` (another holds it) or that the session is gone."""
        value, flags = encode(text)
        if not self._session:
            self._session = await self._new_session()
        answer = await self._client.call(
            "PUT",
            path,
            what=what,
            params={"acquire": self._session, "flags": str(flags)},
            body=value,
            accept=(500,),
        )
        if answer.status == 500 and "invalid session" not in answer.words:
            raise refusals.of_status(answer.where, what, 500, answer.words)
        return answer.words

    async def _release(self, path: str, what: str, text: str) -> None:
        """Take the key from a session that holds it: a reporter of our name that died before us."""
        answer = await self._client.call("GET", path, what=what, params={"consistent": ""}, accept=(404,))
        rows = answer.json(list) if answer.status == 200 else []
        holder = rows[0].get("Session") if rows and isinstance(rows[0], dict) else None
        if holder:
            value, flags = encode(text)
            params = {"release": str(holder), "flags": str(flags)}
            await self._client.call("PUT", path, what=what, params=params, body=value)

    async def _new_session(self) -> str:
        body = {
            "Name": f"{self._prefix} reports",
            "TTL": f"{self._ttl:g}s",
            "Behavior": "delete",
            "LockDelay": "0s",
            "NodeChecks": [],
        }
        answer = await self._client.call("PUT", "session/create", what="beginning a session", body=body)
        session = answer.json(dict).get("ID")
        if not session:
            raise refusals.down(answer.where, answer.what, f"no session in {answer.words[:200]!r}")
        return str(session)

    def _path(self, stack: str, key: str) -> str:
        return f"kv/{self._prefix}/{stack}/{key}"
