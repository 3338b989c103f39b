"""How a request came in: by the unix socket, whose file says who may, or by TCP, where a token does.

Also keeps what is too large outside. Wraps the application once for each listener; called by the composition
root. Rule: a request that came in by no entrance is treated as one by TCP.
"""

from __future__ import annotations

import asyncio
import pwd
import socket
import struct
from contextlib import suppress
from typing import Any

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from bluegreen.api import problems
from bluegreen.domain.errors import UserError

LARGEST = 8 * 1024 * 1024
"""Bytes of a body: a stack of a thousand services has less than four million."""

SOCKET, TCP = "socket", "tcp"

HANG_UP = "bluegreen.hang_up"
"""Where a request's state has what ends its connection at once, and drops what was not sent."""

UNHEARD = 20.0
"""Seconds after which a peer that acknowledges nothing counts as gone (RFC 5482)."""

PATIENCE = 10.0
"""Seconds within which a peer by TCP has to say what it wants, and a small body has to come."""

_ENTRANCE = "bluegreen.entrance"


class Entrance:
    def __init__(self, app: ASGIApp, name: str) -> None:
        self._app = app
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_ENTRANCE] = self._name
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _announced(scope) > LARGEST:
            await problems.answer(_too_large())(scope, receive, send)
            return
        await self._app(scope, _bounded(receive), send)


def entrance(scope: Scope) -> str:
    return str(scope.get(_ENTRANCE, TCP))


def origin(scope: Scope) -> str:
    """Return where a request comes from: an address, or the user at the other end of the socket."""
    client = scope.get("client")
    return str(client[0]) if client else ""


async def body(request: Request, largest: int, refusal: UserError) -> bytes:
    """Return the body of a request that is to be small.

    Raises ``refusal`` beyond ``largest`` bytes, and ``invalid_request`` if it does not come.
    """
    taken = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for part in request.stream():
                taken += part
                if len(taken) > largest:
                    raise refusal
    except TimeoutError as error:
        late = f"the body did not come within {PATIENCE:g} s"
        raise UserError(late, code="invalid_request", hint="Send it at once, or again.") from error
    return bytes(taken)


class Protocol(H11Protocol):
    """HTTP of a client that one can hang up on: what goes on and on finds :data:`HANG_UP` in its state."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, HANG_UP: transport.abort}


class SocketProtocol(Protocol):
    """On the unix socket: the peer is the user whose process it is, as the kernel says."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.client = (_peer(transport.get_extra_info("socket")), 0)


class TcpProtocol(Protocol):
    """By TCP, which tells nobody of a peer that is cut off: the kernel ends what is not acknowledged."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNHEARD * 1000))
        self.loop.call_later(PATIENCE, self._hang_up_on_the_silent)

    def _hang_up_on_the_silent(self) -> None:
        """Whoever says nothing, or nothing whole, holds a file of the controller, and could hold all."""
        if self.cycle is None:
            self.transport.abort()


def _peer(connection: socket.socket) -> str:
    with suppress(OSError, struct.error, AttributeError):
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        user = struct.unpack("3i", told)[1]
        with suppress(KeyError):
            return pwd.getpwuid(user).pw_name
        return f"user {user}"
    return "somebody on this machine"


def _announced(scope: Scope) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0


def _bounded(receive: Receive) -> Receive:
    """Return ``receive`` that ends a body that grows too large without having said so."""
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > LARGEST:
            raise _too_large()
        return message

    return bounded


def _too_large() -> UserError:
    return UserError(
        "the request is too large",
        code="too_large",
        evidence=(("largest", f"{LARGEST} bytes"),),
        hint="Split the stack, or send the page of a maintenance in fewer words.",
    )
