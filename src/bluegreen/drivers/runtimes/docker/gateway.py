"""The way to the Engine API: one request under one deadline, third-party errors translated once.

Everything else in this package speaks to Docker through :class:`Gateway`. aiodocker brings the
transports (unix socket, TCP with TLS, ssh, contexts); requests go over its session, because its
wrappers hide when a stream has begun and leave responses open when they are cancelled.
The rule here: nothing but errors of :mod:`bluegreen.domain.errors` gets out, and a call that may
have changed something and lost its answer is ``OutcomeUnknown``.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
from aiodocker import Docker
from yarl import URL

from bluegreen.domain.errors import BluegreenError, Temporary, UserError
from bluegreen.drivers.runtimes.docker import losses, refusals

STANDARD_SOCKET = "unix:///var/run/docker.sock"
ENDLESS = aiohttp.ClientTimeout(total=None)
"""aiohttp's own limits are off: each call has its deadline here, streams have none as a whole."""

SINGLE = -1.0
"""Stands for the gateway's own deadline of a single call."""

Refuse = Callable[[str, int, str], BluegreenError]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the Engine answered: the HTTP status and the decoded JSON (``None`` for no body)."""

    status: int
    body: Any


class Body:
    """The bytes of a long answer. A read may be cancelled and repeated: nothing is lost."""

    def __init__(self, response: aiohttp.ClientResponse, lost: Callable[[Exception], BluegreenError]) -> None:
        self._response = response
        self._lost = lost

    async def read(self) -> bytes:
        """Return the next bytes as they come, ``b""`` at the end of the answer."""
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as broken:
            raise self._lost(broken) from broken

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self.read():
            yield chunk


class Gateway:
    """The Engine API of one daemon. ``where`` is its address, for messages."""

    def __init__(self, docker: Docker, where: str, deadline: float) -> None:
        self._docker = docker
        self.where = where
        self.deadline = deadline

    @property
    def is_local(self) -> bool:
        """Whether the daemon runs on this machine, so that its ports and addresses are ours."""
        return self.where.startswith("unix://")

    async def call(
        self,
        method: str,
        path: str,
        *,
        what: str,
        params: Mapping[str, Any] | None = None,
        body: object = None,
        accept: Collection[int] = (),
        deadline: float | None = None,
    ) -> Answer:
        """Perform one request. ``what`` was tried, for messages; statuses in ``accept`` are answers
        for the caller, all others from 400 up are raised."""
        bound = self.deadline if deadline is None else deadline
        try:
            async with asyncio.timeout(bound):
                response = await self._send(method, path, params, body, {})
                try:
                    raw = await response.read()
                finally:
                    response.release()
        except (TimeoutError, aiohttp.ClientError, OSError) as broken:
            raise self._lost(what, broken, bound, mutates=method != "GET") from broken
        if response.status >= 400 and response.status not in accept:
            raise refusals.of_daemon(what, response.status, _words(raw))
        return Answer(response.status, self._decode(what, raw))

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        what: str,
        params: Mapping[str, Any] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = SINGLE,
        refuse: Refuse = refusals.of_daemon,
    ) -> AsyncIterator[Body]:
        """Open a long answer; the deadline bounds only its beginning. Yields its bytes as they come.

        When the block is entered the Engine has begun to answer: nothing after that is missed.
        ``deadline`` of ``None`` leaves the beginning to the caller's bounds, too.
        """
        bound = self.deadline if deadline == SINGLE else deadline
        try:
            async with asyncio.timeout(bound):
                response = await self._send(method, path, params, body, headers or {})
                refusal = None if response.status < 400 else _words(await response.read())
        except (TimeoutError, aiohttp.ClientError, OSError) as broken:
            raise self._lost(what, broken, self.deadline, mutates=False) from broken
        try:
            if refusal is not None:
                raise refuse(what, response.status, refusal)
            yield Body(response, lambda broken: self._lost(what, broken, self.deadline, mutates=False))
        finally:
            # Not release(): that would wait for the end of a stream that has none.
            response.close()

    async def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        body: object,
        headers: Mapping[str, str],
    ) -> aiohttp.ClientResponse:
        if self._docker.api_version == "auto":
            await self._negotiate()
        base = f"{self._docker.docker_host}/{self._docker.api_version}"
        query = {k: v if isinstance(v, str) else json.dumps(v) for k, v in (params or {}).items()}
        url = URL(f"{base}/{quote(path, safe='/:@')}", encoded=True).with_query(query)
        return await self._docker.session.request(
            method, url, json=body, headers=dict(headers), timeout=ENDLESS
        )

    async def _negotiate(self) -> None:
        """Speak the daemon's own version. Asked again after a reconnect: it may have been upgraded."""
        what, url = "the version of Docker", f"{self._docker.docker_host}/version"
        async with self._docker.session.get(url, timeout=ENDLESS) as response:
            raw = await response.read()
        if response.status >= 400:
            raise refusals.of_daemon(what, response.status, _words(raw))
        version = self._decode(what, raw)
        self._docker.api_version = f"v{version['ApiVersion']}"

    def renegotiate(self) -> None:
        self._docker.api_version = "auto"

    def _decode(self, what: str, raw: bytes) -> Any:
        try:
            return json.loads(raw) if raw.strip() else None
        except ValueError as broken:
            raise Temporary(
                f"{what}: {self.where} does not answer like a Docker Engine",
                code="docker_garbled",
                hint="Check that the address is that of a Docker Engine and nothing stands in between.",
                evidence=(("answer", raw[:200].decode(errors="replace")),),
            ) from broken

    def _lost(self, what: str, broken: Exception, deadline: float | None, mutates: bool) -> BluegreenError:
        return losses.of_connection(self.where, what, broken, deadline, mutates)


@asynccontextmanager
async def open_gateway(url: str | None, deadline: float) -> AsyncIterator[Gateway]:
    """Open the way to the daemon at ``url`` (``None``: ``DOCKER_HOST``, context, standard socket).

    Nothing is sent yet. Raises ``UserError`` (``docker_address_invalid``) for an address or TLS
    files that can never work.
    """
    address = url or os.environ.get("DOCKER_HOST") or None
    try:
        docker = _client(address)
    except Exception as broken:
        raise UserError(
            f"the address of Docker cannot be used: {broken}",
            code="docker_address_invalid",
            hint="Use unix:///path, tcp://host:port (with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH) or ssh://host.",
            evidence=(("address", address or "from Docker's context"),),
        ) from broken
    try:
        # aiodocker replaces the address of a socket by a placeholder: keep what a person knows.
        where = address or str(getattr(docker, "_connection_info", docker.docker_host))
        yield Gateway(docker, where, deadline)
    finally:
        await docker.close()


def _client(address: str | None) -> Docker:
    if address is not None:
        return Docker(url=address)
    try:
        return Docker()
    except AssertionError:
        # aiodocker asserts that it found a socket. The usual one gives the better message.
        return Docker(url=STANDARD_SOCKET)


def _words(raw: bytes) -> str:
    """Return the Engine's message, which is JSON except from proxies in between."""
    try:
        return str(json.loads(raw)["message"])
    except (ValueError, KeyError, TypeError):
        return raw[:500].decode(errors="replace").strip() or "no reason given"
