"""A small client of the controller's API: JSON in and out, event streams, lines.

Called by every verb and by :mod:`bluegreen.client`. Rules: a problem document comes back as the error it was
(code, evidence, hint, exit code); every wait has a deadline; a lost answer to a command is
``OutcomeUnknown``, never a guess.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import quote, urlencode

from bluegreen.domain.errors import BluegreenError, Bug, OutcomeUnknown, Permanent, Temporary
from bluegreen.wire import problems
from bluegreen.wire.address import Address, silent

LOOK = 30.0
"""Seconds a question may take."""

COMMAND = 300.0
"""Seconds a command may take: it may wait for the drain of the rollout before it."""

STREAM = 45.0
"""Seconds of silence after which a stream is lost; the controller pings every 15."""

Parameters = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of an event stream. ``id`` is 0 where the stream gave none."""

    event: str
    id: int
    data: Any


class Client:
    """Calls one controller. Values of queries that are ``None`` are left out.

    ``token`` goes by TCP only: on the socket its file says who may.
    """

    def __init__(self, address: Address, token: str = "") -> None:
        self.address = address
        self._token = token if address.host else ""

    def get(self, path: str, query: Parameters | None = None, *, timeout: float = LOOK) -> Any:
        return self._call("GET", path, query, None, timeout)

    def post(
        self,
        path: str,
        body: Any = None,
        query: Parameters | None = None,
        *,
        timeout: float = COMMAND,
        keyed: bool = True,
    ) -> Any:
        """Send a command. If the connection breaks before the answer it is sent once more, with the same key;
        one that is not ``keyed`` is not: the controller takes no key for it."""
        payload = {} if body is None else body
        headers = {"Idempotency-Key": os.urandom(16).hex()} if keyed else {}

        def call() -> Any:
            return self._call("POST", path, query, payload, timeout, headers)

        try:
            return call()
        except OutcomeUnknown as lost:
            if not keyed or lost.code != "answer_lost" or isinstance(lost.__cause__, TimeoutError):
                raise
            from bluegreen.wire.again import again

            return again(lambda: self.get("/v1/about", timeout=10), call, lost)

    def put(
        self,
        path: str,
        body: Any,
        query: Parameters | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        return self._call("PUT", path, query, body, COMMAND, headers)

    def patch(self, path: str, body: Any, query: Parameters | None = None) -> Any:
        return self._call("PATCH", path, query, body, COMMAND)

    def delete(self, path: str, query: Parameters | None = None) -> Any:
        return self._call("DELETE", path, query, None, COMMAND)

    def stream(
        self, path: str, query: Parameters | None = None, *, after: int | None = None
    ) -> Iterator[Message]:
        """Yield the messages of an event stream until it ends or is cut (both end the iteration)."""
        headers = {"Accept": "text/event-stream"}
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        with self.address.connect(STREAM) as connection:
            response = self._ask(connection, "GET", _target(path, query), None, headers)
            yield from _messages(_lines(response))

    def lines(self, path: str, query: Parameters | None = None) -> Iterator[str]:
        """Yield lines of text as they come; a cut connection ends them."""
        with self.address.connect(LOOK) as connection:
            response = self._ask(connection, "GET", _target(path, query), None, {})
            if connection.sock is not None:
                connection.sock.settimeout(None)  # a quiet service may stay quiet for hours
            yield from _lines(response)

    def plan(self, path: str, body: Any, query: Parameters | None = None) -> tuple[Any, str]:
        """Ask by POST what changes nothing; return the answer, and the tag of what it was made from."""
        return self._exchange("POST", path, query, body, LOOK)

    def _call(
        self,
        method: str,
        path: str,
        query: Parameters | None,
        body: Any,
        timeout: float,
        extra: Mapping[str, str] | None = None,
    ) -> Any:
        return self._exchange(method, path, query, body, timeout, extra)[0]

    def _exchange(
        self,
        method: str,
        path: str,
        query: Parameters | None,
        body: Any,
        timeout: float,
        extra: Mapping[str, str] | None = None,
    ) -> tuple[Any, str]:
        """Return the answer and its ``ETag``."""
        headers = {"Accept": "application/json", **(extra or {})}
        payload = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            payload = json.dumps(body).encode()
        with self.address.connect(timeout) as connection:
            response = self._ask(connection, method, _target(path, query), payload, headers)
            try:
                return _decode(response.read()), response.getheader("ETag") or ""
            except (OSError, HTTPException) as error:
                raise self._lost(method, error) from error

    def _ask(
        self,
        connection: HTTPConnection,
        method: str,
        target: str,
        payload: bytes | None,
        headers: dict[str, str],
    ) -> HTTPResponse:
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            connection.request(method, target, payload, headers)
            response = connection.getresponse()
            if response.status < 400:
                return response
            content = response.read()
        except (OSError, HTTPException) as error:
            raise self._lost(method, error) from error
        raise _problem(response, content)

    def _lost(self, method: str, error: Exception) -> BluegreenError:
        if method != "GET":
            return OutcomeUnknown(
                "the controller's answer was lost: the command may have been carried out",
                code="answer_lost",
                evidence=(("connection", str(error) or type(error).__name__),),
                hint="Look before you repeat it: `bluegreen status` and `bluegreen history`.",
            )
        if isinstance(error, TimeoutError):
            return silent(self.address.text)
        return Temporary(
            f"the controller at {self.address.text} ended the connection",
            code="no_controller",
            evidence=(("connection", str(error) or type(error).__name__),),
            hint="Traffic is not affected. Is it being restarted? Try again, or start it: `bluegreen serve`.",
        )


def path(*parts: str) -> str:
    """Return an API path from its parts, each quoted."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def _target(path: str, query: Parameters | None) -> str:
    given = {k: _plain(v) for k, v in (query or {}).items() if v is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _decode(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError as error:
        raise Permanent(
            "the controller's answer is no JSON",
            code="bad_answer",
            evidence=(("answer", content[:200].decode(errors="replace")),),
            hint="Is something else listening there? Check --host and BLUEGREEN_HOST.",
        ) from error


def _problem(response: HTTPResponse, content: bytes) -> BluegreenError:
    """Return the error that a problem document describes, as the controller raised it."""
    if "problem+json" in (response.getheader("Content-Type") or ""):
        return problems.answered(_decode(content))
    evidence = (("answer", f"{response.status} {response.reason}: {content[:200].decode(errors='replace')}"),)
    if response.status == 500:
        return Bug(
            "the controller failed on this request",
            code="controller_fault",
            evidence=evidence,
            hint="Traffic was left as it is. Please report this with the end of the controller's log.",
        )
    return Permanent(
        "the controller does not understand this request",
        code="bad_answer",
        evidence=evidence,
        hint="Do CLI and controller have the same version? Compare: `bluegreen doctor`.",
    )


def _lines(response: HTTPResponse) -> Iterator[str]:
    try:
        for raw in response:
            yield raw.decode(errors="replace").rstrip("\r\n")
    except (OSError, HTTPException):
        return


def _messages(lines: Iterator[str]) -> Iterator[Message]:
    """Parse an event stream (the WHATWG HTML standard, section 9.2)."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in fields:
                number = fields.get("id", "")
                yield Message(
                    fields.get("event", "message"),
                    int(number) if number.isdigit() else 0,
                    json.loads(fields["data"]),
                )
            fields = {}
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data" and "data" in fields:
            value = f"{fields['data']}\n{value}"
        fields[name] = value
