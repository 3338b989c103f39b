"""One simulated user: sends a request, judges the answer, and is never lenient.

:class:`~bluegreen.load.session.LoadSession` owns the users and calls :meth:`User.request` at their
pace. Rule: whatever happens after the first byte of a request was sent and is not a complete, right
answer is a failure; the only thing forgiven is a kept-alive connection that the server had closed
while nothing was in flight (counted as ``idle_closed``).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from bluegreen.load.connection import Connection, Idle
from bluegreen.load.plan import Plan, Target
from bluegreen.load.result import Kind, Outcome, Sample
from bluegreen.load.wire import EndOfStream, Malformed, Response, read_response

_BODY_SIZES = (64, 1024, 16 * 1024)


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one request came to: the verdict, the answer if complete, and the evidence."""

    outcome: Outcome
    response: Response | None = None
    detail: str = ""


class User:
    """One user of one kind. ``keep`` says whether the connection is used again."""

    __slots__ = ("_connection", "_count", "_keep", "_kind", "_name", "_plan", "_target", "idle_closed")

    def __init__(self, kind: Kind, name: str, plan: Plan, target: Target, *, keep: bool) -> None:
        self._kind = kind
        self._name = name
        self._plan = plan
        self._target = target
        self._keep = keep
        self._connection: Connection | None = None
        self._count = 0
        self.idle_closed = 0

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def request(self) -> tuple[Sample, str]:
        """Send one request; return its sample and, for a failure, the evidence.

        Never raises for anything the server does. The time runs from before connecting until the
        last byte of the answer.
        """
        self._count += 1
        ident = f"{self._name}-{self._count}"
        body = self._body(ident)
        start = time.monotonic()
        exchange = await self._exchange(self._head(ident, len(body)) + body)
        end = time.monotonic()
        response = exchange.response
        if exchange.outcome is Outcome.OK and response is not None:
            exchange = self._judge(response, ident, body)
        if (
            response is None
            or not (self._keep and response.reusable)
            or exchange.outcome is Outcome.MALFORMED
        ):
            self.close()
        version = "" if response is None else response.headers.get(self._plan.version_header, "")
        return Sample(self._kind, start, end, version, exchange.outcome), exchange.detail

    async def _exchange(self, data: bytes) -> Exchange:
        """Send ``data`` and read the answer; every way this can go wrong has its own outcome."""
        limit = self._plan.slow_timeout if self._kind is Kind.SLOW else self._plan.timeout
        try:
            async with asyncio.timeout(limit):
                connection = await self._connect()
                await connection.send(data)
                response = await read_response(connection)
        except EndOfStream:
            return self._closed()
        except Malformed as error:
            return Exchange(Outcome.MALFORMED, detail=str(error))
        except TimeoutError:
            return Exchange(Outcome.TIMEOUT, detail=f"no complete answer within {limit:g} s")
        except ConnectionRefusedError as error:
            return Exchange(Outcome.REFUSED, detail=str(error))
        except ConnectionError as error:
            return Exchange(Outcome.RESET, detail=str(error))
        except OSError as error:
            return Exchange(Outcome.UNREACHABLE, detail=str(error))
        connection.used = True
        return Exchange(Outcome.OK, response)

    async def _connect(self) -> Connection:
        """Return a connection that is not known to be closed."""
        if self._connection is not None:
            state = self._connection.idle_state()
            if state is Idle.USABLE:
                return self._connection
            self.close()
            if state is Idle.UNSOLICITED:
                raise Malformed("bytes arrived that no request had asked for")
            self.idle_closed += 1
        self._connection = await Connection.open(self._target)
        return self._connection

    def _closed(self) -> Exchange:
        connection = self._connection
        if connection is not None and connection.answered:
            return Exchange(Outcome.TRUNCATED, detail="closed in the middle of the answer")
        if connection is not None and connection.used:
            return Exchange(
                Outcome.CLOSED_AFTER_SEND, detail="kept-alive connection closed after the request"
            )
        return Exchange(Outcome.CLOSED_BEFORE_RESPONSE, detail="new connection closed without an answer")

    def _judge(self, response: Response, ident: str, body: bytes) -> Exchange:
        status = response.status
        if not 200 <= status < 300:
            outcome = Outcome.BAD_STATUS_5XX if status >= 500 else Outcome.BAD_STATUS_OTHER
            return Exchange(outcome, response, f"status {status}: {response.body[:120]!r}")
        if self._connection is not None and self._connection.leftover():
            return Exchange(Outcome.MALFORMED, response, "bytes after the end of the answer")
        if response.headers.get("x-request-id", ident) != ident:
            return Exchange(Outcome.WRONG_BODY, response, "the answer is to another request")
        if self._kind is Kind.POST and response.body != body:
            return Exchange(Outcome.WRONG_BODY, response, f"sent {len(body)} B, got {response.body[:80]!r}")
        if self._kind is not Kind.POST and self._plan.expect.encode() not in response.body:
            return Exchange(Outcome.WRONG_BODY, response, f"got {response.body[:120]!r}")
        return Exchange(Outcome.OK, response)

    def _body(self, ident: str) -> bytes:
        if self._kind is not Kind.POST:
            return b""
        size = _BODY_SIZES[self._count % len(_BODY_SIZES)]
        return (f"{ident}|" * (size // (len(ident) + 1) + 1)).encode()

    def _head(self, ident: str, length: int) -> bytes:
        plan = self._plan
        path = {Kind.POST: plan.post_path, Kind.SLOW: plan.slow_path}.get(self._kind, plan.path)
        method = "POST" if self._kind is Kind.POST else "GET"
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._target.host}", f"X-Request-Id: {ident}"]
        if self._kind is Kind.POST:
            lines += ["Content-Type: application/octet-stream", f"Content-Length: {length}"]
        if not self._keep:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()
