"""One HTTP/1.1 request and the beginning of its answer, from a server that may be hostile.

Called by the prober only. h11 reads the protocol; this module bounds it: the head in bytes, the body
in bytes and in time. The status line decides, and the beginning of the body where the check asks for a
text in it; else of the body only the beginning is kept, as evidence.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

import h11

from bluegreen.domain.check import HealthCheck
from bluegreen.drivers.probers.connection import BrokenError

MAX_HEAD = 16 * 1024
"""Bytes of interim answers, status line and headers together that are read at most."""

MAX_BODY = 64 * 1024
"""Bytes of the body that are read at most, so that a server is not cut off in a usual answer."""

SEARCHED_BODY = 8 * 1024
"""Bytes of the body in which the check's text is looked for. HAProxy looks through the first 16 KiB of an
answer, its headers included: what is found here is found there."""

KEPT_BODY = 200
"""Bytes of the body that are kept."""

BODY_GRACE = 0.1
"""Seconds for the body once the status is known: a stream without end must not delay a verdict."""

_BEGINNING = b"HTTP/"
_TARGET = "/?&=:;,@!$'()*+~%-._"
_TOO_LARGE = 431
_SAMPLE = 60
_CHUNK = 16 * 1024
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class Answer:
    """``missing`` says what the check looked for in the body and what came instead; empty: nothing is."""

    status: int
    body: str
    missing: str = ""


class Exchange:
    """One request on one fresh connection. ``authority`` is what a client would have typed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._received = 0
        self._sample = b""
        self._searched = ""

    @property
    def progress(self) -> str:
        """What had arrived, for the message about what then did not."""
        if self._searched:
            return f"({self._searched})"
        return f"in the middle of the answer: {shown(self._sample)}" if self._sample else "without an answer"

    async def ask(self, check: HealthCheck, authority: str, deadline: float) -> Answer:
        """Return the final answer. Raises ``TimeoutError`` after ``deadline`` (loop time),
        :class:`BrokenError`, and ``OSError`` as the connection does."""
        async with asyncio.timeout_at(deadline):
            self._writer.write(self._request(check, authority))
            status = await self._status()
            if check.body is not None and check.accepts(status):
                return await self._search(status, check.body)
        grace = asyncio.get_running_loop().time() + BODY_GRACE
        beginning = b""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(min(deadline, grace)):
                async for piece in self._body():
                    beginning = (beginning + piece)[:KEPT_BODY]
        return Answer(status, _text(beginning))

    async def _search(self, status: int, text: str) -> Answer:
        """Return the answer as soon as ``text`` is in the beginning of its body, or cannot be any more."""
        wanted, body = text.encode(), b""
        self._searched = _lacking(status, text, body)
        async for piece in self._body():
            body = (body + piece)[:SEARCHED_BODY]
            if wanted in body:
                return Answer(status, _text(body))
            self._searched = _lacking(status, text, body)
            if len(body) == SEARCHED_BODY:
                break
        return Answer(status, _text(body), self._searched)

    def _request(self, check: HealthCheck, authority: str) -> bytes:
        head = h11.Request(
            method=check.method, target=quote(check.path, safe=_TARGET), headers=headers(check, authority)
        )
        sent = (self._connection.send(head), self._connection.send(h11.EndOfMessage()))
        return b"".join(part for part in sent if part)

    async def _status(self) -> int:
        try:
            async for event in self._events(MAX_HEAD):
                if isinstance(event, h11.Response):
                    return event.status_code
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == _TOO_LARGE:
                raise BrokenError(f"answered with more than {MAX_HEAD // 1024} KiB of headers") from error
            raise self._not_http() from error
        raise BrokenError(f"answered with more than {MAX_HEAD // 1024} KiB before its status")

    async def _body(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces, up to a bound. Whatever breaks it off is its end: the status stands."""
        with suppress(OSError, BrokenError, h11.RemoteProtocolError):
            async for event in self._events(self._received + MAX_BODY):
                if isinstance(event, h11.EndOfMessage):
                    return
                if isinstance(event, h11.Data):
                    yield bytes(event.data)

    async def _events(self, limit: int) -> AsyncIterator[object]:
        """Yield what h11 finds until ``limit`` bytes were received in all."""
        while self._received <= limit:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                await self._receive()
            else:
                yield event

    async def _receive(self) -> None:
        data = await self._reader.read(_CHUNK)
        if not data and self._connection.their_state is h11.SEND_RESPONSE:
            raise BrokenError(f"closed the connection {self.progress}")
        self._received += len(data)
        self._sample = (self._sample + data)[:_SAMPLE]
        if self._sample[: len(_BEGINNING)] != _BEGINNING[: len(self._sample)]:
            # At once: who greets first (SSH, SMTP, a database) then waits for us, for ever.
            raise self._not_http()
        self._connection.receive_data(data)

    def _not_http(self) -> BrokenError:
        return BrokenError(f"answered with something that is not HTTP: {shown(self._sample)}")


def headers(check: HealthCheck, authority: str) -> list[tuple[str, str]]:
    """Return the request's headers: the check's own, and those that every request needs.

    The connection is never kept; ``check.host`` goes before a Host among the check's headers.
    """
    own = {name.lower(): (name, value) for name, value in check.headers}
    own.pop("connection", None)
    if check.host is not None:
        own.pop("host", None)
    needed = [("Host", check.host or authority), ("User-Agent", "bluegreen"), ("Accept", "*/*")]
    if check.method.upper() in _WITH_BODY:
        needed.append(("Content-Length", "0"))
    missing = [(name, value) for name, value in needed if name.lower() not in own]
    return [*missing, *own.values(), ("Connection", "close")]


def shown(data: bytes) -> str:
    """Return foreign bytes as text that is safe to print, with what they may be."""
    text = repr(data.decode("latin-1"))
    return f"{text} (TLS?)" if data.startswith((b"\x15\x03", b"\x16\x03")) else text


def _text(body: bytes) -> str:
    return bytes(body[:KEPT_BODY]).decode("utf-8", "replace")


def _lacking(status: int, text: str, body: bytes) -> str:
    most = f"the first {SEARCHED_BODY // 1024} KiB of " if len(body) == SEARCHED_BODY else ""
    came = repr(_text(body[:_SAMPLE])) if body else "an empty body"
    return f"status {status}, but {text!r} is not in {most}the answer: {came}"
