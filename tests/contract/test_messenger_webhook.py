"""Messages to a URL, against real servers that take them, refuse them, or say nothing."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr, ValidationError

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary
from bluegreen.domain.events import Event
from bluegreen.drivers.messengers.webhook import Options, open_webhook

EVENT = Event(
    kind="rollout.failed",
    message="web.blue: failed: 0 of 2 instances healthy",
    at=1_700_000_000.0,
    id=42,
    stack="shop",
    service="web",
    rollout="abc",
    level="error",
    data={"phase": "reverting"},
)
SECRET = "a-canary-of-a-secret"


class Receiver:
    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.got: list[tuple[bytes, dict[str, str]]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((await request.read(), dict(request.headers)))
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})


def play(receiver: Receiver, scenario: Callable[[str], Awaitable[None]]) -> None:
    async def main() -> None:
        app = web.Application()
        app.router.add_post("/{secret}", receiver.take)
        async with asyncio.timeout(30), TestServer(app) as server:
            await scenario(str(server.make_url(f"/{SECRET}")))

    asyncio.run(main())


def test_the_whole_event_signed() -> None:
    receiver = Receiver()

    async def scenario(url: str) -> None:
        async with open_webhook(Options(url=SecretStr(url), secret=SecretStr("key"))) as messenger:
            await messenger.tell(EVENT)

    play(receiver, scenario)
    ((body, headers),) = receiver.got
    told = json.loads(body)
    assert (told["kind"], told["stack"], told["data"]) == ("rollout.failed", "shop", {"phase": "reverting"})
    assert headers["X-Bluegreen-Delivery"] == "42"
    proof = hmac.new(b"key", body, hashlib.sha256).hexdigest()
    assert headers["X-Bluegreen-Signature"] == f"sha256={proof}"


def test_one_line_for_a_chat() -> None:
    receiver = Receiver()

    async def scenario(url: str) -> None:
        async with open_webhook(Options(url=SecretStr(url), style="slack")) as messenger:
            await messenger.tell(EVENT)

    play(receiver, scenario)
    ((body, headers),) = receiver.got
    assert json.loads(body) == {
        "text": "🔴 shop/web: web.blue: failed: 0 of 2 instances healthy (rollout abc)"
    }
    assert "X-Bluegreen-Signature" not in headers


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, Temporary), (503, Temporary), (429, Temporary), (404, Permanent), (302, Permanent)],
)
def test_a_refusal_is_told_without_the_address(status: int, kind: type[BluegreenError]) -> None:
    async def scenario(url: str) -> None:
        async with open_webhook(Options(url=SecretStr(url))) as messenger:
            with pytest.raises(kind) as refused:
                await messenger.tell(EVENT)
        assert str(status) in refused.value.message
        assert SECRET not in repr(refused.value) + str(refused.value.evidence)

    play(Receiver(status), scenario)


def test_nobody_there() -> None:
    async def scenario(url: str) -> None:
        options = Options(url=SecretStr(f"http://127.0.0.1:1/{SECRET}"))
        async with open_webhook(options) as messenger:
            with pytest.raises(Temporary) as refused:
                await messenger.tell(EVENT)
        assert SECRET not in refused.value.message + repr(options)

    play(Receiver(), scenario)


@pytest.mark.parametrize("url", ["", "chat", "ftp://host/x", "https://"])
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValidationError, match="no URL"):
        Options(url=SecretStr(url))
