"""The way to Consul: one request under one deadline, blocking queries, errors translated once.

Everything else in this package speaks to Consul through :class:`Client`. Nothing but the errors of
:mod:`bluegreen.domain.errors` gets out.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from bluegreen.domain.errors import UserError
from bluegreen.drivers.registries.consul import refusals
from bluegreen.drivers.registries.consul.options import Options

WAIT = 45.0
"""Seconds a blocking query lasts without news. Consul adds up to a sixteenth of it."""

COMMON_LIMIT = 512 * 1024
"""What a value may have in bytes unless Consul is told otherwise. It hangs up on more, without a word."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Consul said: HTTP status, its index (0: none was given), and the raw body."""

    status: int
    index: int
    raw: bytes
    where: str
    what: str

    @property
    def words(self) -> str:
        return self.raw[:500].decode(errors="replace").strip()

    def json(self, kind: type[dict[str, Any]] | type[list[Any]]) -> Any:
        """Return the decoded body. Raises ``registry_down`` unless it is JSON of that kind."""
        try:
            value = json.loads(self.raw)
        except ValueError:
            value = None
        if not isinstance(value, kind):
            raise refusals.down(self.where, self.what, f"this is no answer of Consul: {self.words[:200]!r}")
        return value


class Client:
    """Consul's HTTP API at one agent. ``where`` is its address, for messages."""

    def __init__(self, session: aiohttp.ClientSession, where: str, deadline: float) -> None:
        self._session = session
        self.where = where
        self._deadline = deadline

    async def call(
        self,
        method: str,
        path: str,
        *,
        what: str,
        params: Mapping[str, str] | None = None,
        body: object = None,
        accept: Collection[int] = (),
    ) -> Answer:
        """Perform one request. ``what`` was tried, for messages; ``body`` goes as JSON unless it is bytes.

        Statuses in ``accept`` are answers for the caller, all others but 200 are raised.
        """
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        answer = await self._ask(method, path, what, params or {}, data, self._deadline)
        if answer.status != 200 and answer.status not in accept:
            raise refusals.of_status(self.where, what, answer.status, answer.words)
        return answer

    async def read(self, path: str, *, what: str, params: Mapping[str, str] | None = None) -> Answer:
        """Read what the leader vouches for: never old, never from a server that was left behind."""
        return await self.call("GET", path, what=what, params={"consistent": "", **(params or {})})

    async def wait(self, path: str, *, what: str, params: Mapping[str, str], index: int) -> Answer:
        """Return when what ``path`` shows is no longer that of ``index``, or after about ``WAIT``."""
        asked = {**params, "index": str(index), "wait": f"{WAIT:g}s"} if index else dict(params)
        bound = self._deadline + (WAIT * 17 / 16 if index else 0)
        answer = await self._ask("GET", path, what, asked, None, bound)
        if answer.status not in (200, 404):
            raise refusals.of_status(self.where, what, answer.status, answer.words)
        return answer

    async def _ask(
        self,
        method: str,
        path: str,
        what: str,
        params: Mapping[str, str],
        data: bytes | None,
        bound: float,
    ) -> Answer:
        try:
            async with (
                asyncio.timeout(bound),
                self._session.request(
                    method, self._url(path, params), data=data, allow_redirects=False
                ) as response,
            ):
                raw = await response.read()
        except TimeoutError:
            raise refusals.down(self.where, what, f"nothing came within {bound:g} s") from None
        except (aiohttp.ClientError, OSError) as broken:
            if len(data or b"") > COMMON_LIMIT and not isinstance(broken, aiohttp.ClientConnectorError):
                raise refusals.of_status(self.where, what, 413, "it hung up") from broken
            raise refusals.down(self.where, what, str(broken) or type(broken).__name__) from broken
        return Answer(response.status, _index(response.headers), raw, self.where, what)

    def _url(self, path: str, params: Mapping[str, str]) -> URL:
        query = "&".join(
            f"{name}={quote(value, safe='')}" if value else name for name, value in params.items()
        )
        return URL(f"{self.where}/v1/{quote(path, safe='/')}{'?' if query else ''}{query}", encoded=True)


@asynccontextmanager
async def open_client(options: Options) -> AsyncIterator[Client]:
    """Open the way to the agent; nothing is sent yet. Raises ``UserError`` (``bad_setting``)."""
    headers = {"X-Consul-Token": options.token.get_secret_value()} if options.token else {}
    connector = aiohttp.TCPConnector(limit=0, ssl=_trust(options))
    endless = aiohttp.ClientTimeout(total=None)  # each call has its deadline here
    async with aiohttp.ClientSession(connector=connector, timeout=endless, headers=headers) as session:
        yield Client(session, options.url, options.deadline)


def _trust(options: Options) -> ssl.SSLContext | bool:
    if options.ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=options.ca_file)
    except OSError as error:
        raise UserError(
            f"the certificate {options.ca_file} cannot be used: {error}",
            code="bad_setting",
            hint="Name a file with certificates in PEM.",
        ) from error


def _index(headers: Mapping[str, str]) -> int:
    told = headers.get("X-Consul-Index", "")
    return int(told) if told.isdecimal() else 0
