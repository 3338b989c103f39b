"""A request that comes again with its key: the same answer, and nothing is begun a second time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx

from bluegreen.domain.access import Role
from bluegreen.domain.answer import Answer
from bluegreen.ports.journal import Query
from bluegreen.testing.fake_answers import FakeAnswers
from tests.unit.api.scene import Scene, play

DEPLOY = "/v1/services/web.shop/deploy"
BODY = {"image": "shop/web:2"}


async def _post(scene: Scene, token: str, key: str, path: str = DEPLOY, **extra: Any) -> httpx.Response:
    body = extra.pop("json", BODY)
    return await scene.ask("POST", path, token, json=body, headers={"Idempotency-Key": key})


async def _rollouts(scene: Scene) -> int:
    return len(await scene.engine.drivers.journal.rollouts(Query(stack="shop")))


def test_the_same_key_gets_the_same_answer_and_begins_nothing() -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.DEPLOYER)
        first = await _post(scene, token, "k-1")
        assert (first.status_code, first.headers.get("Idempotency-Replayed")) == (202, None)
        began, noted = await _rollouts(scene), len(await scene.trail())
        for key in ("k-1", '"k-1"'):
            again = await _post(scene, token, key)
            assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
            assert again.json() == first.json()
        assert (await _rollouts(scene), len(await scene.trail())) == (began, noted)

    play(story)


def test_a_key_is_for_one_request_of_one_person() -> None:
    async def story(scene: Scene) -> None:
        token, other = await scene.token(Role.DEPLOYER), await scene.token(Role.ADMIN)
        first = await _post(scene, token, "k-1")
        reused = await _post(scene, token, "k-1", json={"image": "shop/web:3"})
        assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
        elsewhere = await _post(scene, token, "k-1", "/v1/services/web.shop/redeploy")
        assert elsewhere.status_code == 422
        theirs = await _post(scene, other, "k-1")
        assert theirs.json() != first.json(), "somebody else's answer is not told"
        bad = await _post(scene, token, "with a blank")
        assert (bad.status_code, bad.json()["code"]) == (400, "invalid_request")

    play(story)


def test_a_refusal_is_not_kept() -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.DEPLOYER)
        scale = "/v1/services/nobody.shop/scale"
        for _ in range(2):
            refused = await _post(scene, token, "k-1", scale, json={"replicas": 2})
            assert (refused.status_code, "Idempotency-Replayed" in refused.headers) == (404, False)
        assert (await _post(scene, token, "k-1")).status_code == 202

    play(story)


def test_while_the_first_is_under_way_the_second_is_to_wait() -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.DEPLOYER)
        await _post(scene, token, "k-1")
        unfinished = await _unanswered(scene)
        scene.app.state.context.underway.add((unfinished.who, unfinished.key))
        busy = await _post(scene, token, "k-1")
        assert (busy.status_code, busy.headers["Retry-After"]) == (409, "1")
        assert busy.json()["code"] == "request_in_progress"

    play(story)


def test_what_was_begun_before_a_crash_is_found_again() -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.DEPLOYER)
        first = await _post(scene, token, "k-1")
        began = await _rollouts(scene)
        await _unanswered(scene)
        again = await _post(scene, token, "k-1")
        assert again.status_code == 202
        assert again.json()["rollout"]["id"] == first.json()["rollout"]["id"]
        assert await _rollouts(scene) == began

    play(story)


def test_what_was_not_begun_before_a_crash_is_begun_once() -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.DEPLOYER)
        scale = "/v1/services/web.shop/scale"
        await _post(scene, token, "k-1", scale, json={"replicas": 3})
        await _unanswered(scene)
        again = await _post(scene, token, "k-1", scale, json={"replicas": 3})
        assert (again.status_code, again.json()["replicas"]) == (200, 3)
        assert "Idempotency-Replayed" not in again.headers
        instance = (await scene.ask("GET", "/v1/instances?stack=shop", token)).json()[0]["name"]
        restart = f"/v1/instances/{instance}/restart"
        assert (await _post(scene, token, "k-2", restart, json={"force": True})).status_code == 202
        await _unanswered(scene, "k-2")
        doubtful = await _post(scene, token, "k-2", restart, json={"force": True})
        assert (doubtful.status_code, doubtful.json()["code"]) == (504, "request_interrupted")

    play(story)


def test_secrets_are_not_kept_for_anybody_to_ask_again() -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.ADMIN)
        made = await _post(scene, token, "k-1", "/v1/tokens", json={"name": "ci", "role": "viewer"})
        assert made.status_code == 201 or made.status_code == 200
        again = await _post(scene, token, "k-1", "/v1/tokens", json={"name": "ci", "role": "viewer"})
        assert again.json()["code"] == "token_exists"

    play(story)


async def _unanswered(scene: Scene, key: str = "k-1") -> Answer:
    """Make it as if the controller had died before it wrote down what it answered."""
    answers = scene.engine.drivers.answers
    assert isinstance(answers, FakeAnswers)
    (kept,) = [one for one in answers._kept.values() if one.key == key]
    unfinished = replace(kept, status=0, body="")
    await answers.finish_answer(unfinished)
    return unfinished
