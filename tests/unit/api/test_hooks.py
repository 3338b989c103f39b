"""Releases by signed messages: what is let in, what is refused alike, and what is carried out once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from bluegreen.api.access.signing import LARGEST
from bluegreen.domain.access import Role
from bluegreen.domain.errors import OutcomeUnknown
from bluegreen.domain.hooks import TOLERANCE, Hook, sign
from bluegreen.engine.commands import lookup, releases
from bluegreen.engine.hooks import Hooks
from bluegreen.engine.tries import TRIES, Tries
from tests.unit.api.scene import ROOT, SHOP, Scene, play
from tests.unit.engine.world import finished

RELEASE = {"image": "web:2"}


@dataclass(frozen=True)
class Sender:
    scene: Scene
    hook: Hook

    @classmethod
    async def of(cls, scene: Scene, **limits: Any) -> Sender:
        return cls(scene, await scene.hooks.create("ci", SHOP, "web", ROOT, **limits))

    def headers(self, body: bytes, id: str = "msg_1", late: float = 0.0, secret: str = "") -> dict[str, str]:
        timestamp = f"{self.scene.world.clock.now() - late:.0f}"
        signature = sign(secret or self.hook.secret, id, timestamp, body)
        return {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature}

    async def send(self, wish: Any = None, name: str = "ci", **signed: Any) -> httpx.Response:
        body = json.dumps(RELEASE if wish is None else wish).encode()
        return await self.carry(body, self.headers(body, **signed), name)

    async def carry(self, body: bytes, headers: dict[str, str], name: str = "ci") -> httpx.Response:
        return await self.scene.ask("POST", f"/v1/hooks/{name}", headers=headers, content=body)

    async def releases(self) -> int:
        return len(await self.scene.engine.ledger.releases(SHOP, "web")) + len(self.scene.engine.ledger.begun)


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_signed_message_begins_a_release_and_says_where_to_follow() -> None:
    async def story(scene: Scene) -> None:
        sender = await Sender.of(scene)
        answer = await sender.send()
        assert answer.status_code == 202, answer.text
        rollout = answer.json()["rollout"]
        assert (rollout["stack"], rollout["service"], rollout["phase"]) == (SHOP, "web", "preparing")
        assert answer.headers["Location"] == f"/v1/rollouts/{rollout['id']}"
        assert answer.json()["follow"] == f"/v1/rollouts/{rollout['id']}/stream"
        (deed,) = await scene.trail()
        assert (deed.who, deed.via, deed.role, deed.outcome) == ("hook ci", "hook", Role.DEPLOYER, "done")
        assert (deed.target, deed.stack, deed.rollout) == ("ci", SHOP, rollout["id"])
        ended = await finished(scene.world, await lookup.rollout(scene.engine, rollout["id"]))
        assert ended.settled

    play(story)


def test_the_same_id_is_the_same_rollout_before_and_after_a_restart() -> None:
    async def story(scene: Scene) -> None:
        sender = await Sender.of(scene)
        body = json.dumps(RELEASE).encode()
        headers = sender.headers(body)
        first = await sender.carry(body, headers)
        again = await sender.carry(body, headers)
        assert (again.status_code, again.json()["rollout"]["id"]) == (202, first.json()["rollout"]["id"])
        await finished(scene.world, await lookup.rollout(scene.engine, first.json()["rollout"]["id"]))
        restarted = Hooks(scene.engine.drivers.hooks, Tries(), scene.engine.clock)
        await restarted.load()
        scene.app.state.context = replace(scene.app.state.context, hooks=restarted)
        copy = await sender.carry(body, headers)
        assert copy.status_code == 202, copy.text
        how_it_stands = copy.json()["rollout"]
        assert (how_it_stands["id"], how_it_stands["settled"]) == (first.json()["rollout"]["id"], True)
        assert how_it_stands["outcome"]["exit_code"] == 0
        await asyncio.sleep(TOLERANCE + 1)
        assert told(await sender.carry(body, headers)) == (400, "stale_delivery")
        assert (await sender.send()).json()["rollout"]["id"] == first.json()["rollout"]["id"]
        assert await sender.releases() == 2

    play(story)


def test_a_message_that_was_refused_is_tried_again_only_when_it_is_signed_anew() -> None:
    async def story(scene: Scene) -> None:
        sender = await Sender.of(scene)
        other = await releases.deploy(scene.engine, "web", stack=SHOP)
        body = json.dumps(RELEASE).encode()
        headers = sender.headers(body)
        assert told(await sender.carry(body, headers)) == (409, "rollout_in_progress")
        await finished(scene.world, await lookup.rollout(scene.engine, other.id))
        assert told(await sender.carry(body, headers)) == (409, "delivery_repeated")
        await asyncio.sleep(1.0)
        assert (await sender.send()).status_code == 202

    play(story)


def test_what_was_recorded_and_not_answered_is_not_begun_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(scene: Scene) -> None:
        sender = await Sender.of(scene)
        begin = scene.engine.begin

        async def lost(*rollouts: Any) -> None:
            await begin(*rollouts)
            raise OutcomeUnknown("the answer was lost", code="not_recorded")

        monkeypatch.setattr(scene.engine, "begin", lost)
        assert told(await sender.send()) == (504, "not_recorded")
        monkeypatch.undo()
        await asyncio.sleep(1.0)
        assert (await sender.send()).status_code == 202
        assert await sender.releases() == 2

    play(story)


def test_an_id_belongs_to_one_body() -> None:
    async def story(scene: Scene) -> None:
        sender = await Sender.of(scene)
        assert (await sender.send()).status_code == 202
        assert told(await sender.send({"image": "web:3"})) == (409, "delivery_reused")

    play(story)


def test_a_clock_that_is_wrong_is_told_with_both_times() -> None:
    async def story(scene: Scene) -> None:
        sender = await Sender.of(scene)
        for late, word in ((TOLERANCE + 1, "before"), (-TOLERANCE - 1, "after")):
            answer = await sender.send(late=late)
            assert told(answer) == (400, "stale_delivery")
            assert f"301 s {word} now" in answer.json()["title"]
            evidence = dict(answer.json()["evidence"])
            assert f"{scene.world.clock.now():.0f} (" in evidence["the controller's clock"]
            assert f"{scene.world.clock.now() - late:.0f} (" in evidence["webhook-timestamp"]
        assert (await sender.send(late=TOLERANCE - 1)).status_code == 202
        assert {deed.outcome for deed in await scene.trail()} == {"stale_delivery", "done"}

    play(story)


def test_a_hook_that_is_not_there_and_a_wrong_signature_look_alike() -> None:
    async def story(scene: Scene) -> None:
        sender = await Sender.of(scene)
        wrong = await sender.send(secret="whsec_AAAA")
        unknown = await sender.send(name="nosuch")
        assert told(wrong) == (401, "unauthenticated")
        assert wrong.json() == unknown.json()
        broken = await sender.carry(b"{", sender.headers(b"", secret="whsec_AAAA"))
        assert broken.json() == wrong.json()
        assert await scene.trail() == []

    play(story)


def test_whoever_tries_signatures_out_has_to_wait() -> None:
    async def story(scene: Scene) -> None:
        sender = await Sender.of(scene)
        for _ in range(TRIES):
            assert told(await sender.send(secret="whsec_AAAA")) == (401, "unauthenticated")
        answer = await sender.send()
        assert told(answer) == (429, "too_many_tries")
        assert int(answer.headers["Retry-After"]) > 0

    play(story)


def test_neither_a_token_nor_half_a_signature_opens_a_hook() -> None:
    async def story(scene: Scene) -> None:
        sender = await Sender.of(scene)
        admin = await scene.token(Role.ADMIN)
        assert told(await scene.ask("POST", "/v1/hooks/ci", admin, json=RELEASE)) == (401, "unauthenticated")
        body = json.dumps(RELEASE).encode()
        for name, headers in ((name, sender.headers(body)) for name in sender.headers(body)):
            del headers[name]
            answer = await sender.carry(body, headers)
            assert told(answer) == (401, "unauthenticated")
            assert "webhook-timestamp" in dict(answer.json()["evidence"])["headers"]

    play(story)


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"image": "evil:2"}, (403, "hook_not_allowed")),
        ({"environment": {"LD_PRELOAD": "/x"}}, (403, "hook_not_allowed")),
        ({"service": "db"}, (422, "invalid_request")),
        ([], (422, "invalid_request")),
    ],
    ids=str,
)
def test_a_hook_asks_for_nothing_beyond_its_limits(wish: Any, code: tuple[int, str]) -> None:
    async def story(scene: Scene) -> None:
        sender = await Sender.of(scene, variables=("LEVEL",))
        assert told(await sender.send(wish)) == code
        assert await sender.releases() == 1
        allowed = await sender.send({"environment": {"LEVEL": "3"}}, id="msg_2")
        assert allowed.status_code == 202, allowed.text

    play(story)


def test_a_message_is_small() -> None:
    async def story(scene: Scene) -> None:
        sender = await Sender.of(scene)
        body = b" " * (LARGEST + 1)
        assert told(await sender.carry(body, sender.headers(body))) == (413, "too_large")

    play(story)


def test_a_hook_is_made_listed_and_removed_by_administrators_and_its_secret_shown_once() -> None:
    async def story(scene: Scene) -> None:
        admin = await scene.token(Role.ADMIN)
        wish = {"name": "github", "service": "web.shop", "images": ["shop/*"], "variables": ["LEVEL"]}
        made = await scene.ask("POST", "/v1/hooks", admin, json=wish)
        assert made.status_code == 201, made.text
        secret = made.json()["secret"]
        assert secret.startswith("whsec_")
        shown = await scene.ask("GET", "/v1/hooks", admin)
        assert [(hook["name"], hook["service"], hook["stack"]) for hook in shown.json()] == [
            ("github", "web", SHOP)
        ]
        assert told(await scene.ask("POST", "/v1/hooks", admin, json=wish)) == (409, "hook_exists")
        nosuch = await scene.ask("POST", "/v1/hooks", admin, json={"name": "x", "service": "nosuch"})
        assert told(nosuch) == (404, "unknown_service")
        gone = await scene.ask("DELETE", "/v1/hooks/github", admin)
        assert gone.status_code == 200
        assert not [a for a in (shown, gone, nosuch) if secret in a.text]
        assert told(await scene.ask("DELETE", "/v1/hooks/github", admin)) == (404, "unknown_hook")

    play(story)
