"""A controller tells a real receiver what becomes of releases, and waits for it in nothing."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.house import House, managed
from tests.support.waiting import until

CANARY = "canary-of-a-chat"


class Receiver:
    """Fails the first message, so that it has to come again."""

    def __init__(self) -> None:
        self.refused = 0
        self.told: list[dict[str, Any]] = []

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        proof = hmac.new(CANARY.encode(), body, hashlib.sha256).hexdigest()
        assert request.headers["X-Bluegreen-Signature"] == f"sha256={proof}"
        if not self.refused:
            self.refused += 1
            return web.Response(status=503)
        self.told.append(json.loads(body))
        return web.Response()

    def kinds(self, rollout: str) -> list[str]:
        return [one["kind"] for one in self.told if one["rollout"] == rollout]


def test_a_refused_release_is_told_with_its_reason_and_no_secret_gets_out() -> None:
    async def main() -> None:
        receiver, app = Receiver(), web.Application()
        app.router.add_post(f"/{CANARY}", receiver.take)
        async with TestServer(app) as server:
            url = str(server.make_url(f"/{CANARY}"))
            async with House.standing(notify_url=url, notify_secret=CANARY) as house:
                await house.up(managed(house.port))
                wish = {"environment": {"FAIL_PING": "500", "EXIT_AFTER": "1"}}
                bad = await house.post("/v1/services/web/deploy", wish)
                ended = await house.final(bad["rollout"]["id"])
                assert ended["phase"] == "aborted"
                wanted = ["rollout.began", "rollout.failed", "rollout.cleaned"]
                await until(lambda: receiver.kinds(ended["id"]) == wanted, timeout=30.0)
                (failed,) = [one for one in receiver.told if one["kind"] == "rollout.failed"]
                assert (failed["service"], failed["level"]) == ("web", "error")
                assert await house.version() == "0.0.1"
                assert receiver.refused == 1
                assert CANARY not in house.log()
                for view in ("/v1/events", "/v1/status", "/v1/about"):
                    assert CANARY not in json.dumps(await house.get(view))

    asyncio.run(main())


def test_an_address_that_is_none_is_refused_at_the_start() -> None:
    async def main() -> None:
        house = House(notify_url="chat")
        ran = await house.cli("serve")
        assert ran.code == 2, ran
        assert "BLUEGREEN_NOTIFY_URL" in ran.err
        await house.close()

    asyncio.run(main())
