"""What is written down of what people do, and what is not."""

from __future__ import annotations

from bluegreen.domain.access import Role
from tests.unit.api.scene import SHOP, Scene, play


def test_a_deploy_leaves_a_line_with_its_rollout() -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.DEPLOYER, SHOP)
        began = await scene.ask("POST", "/v1/services/web/deploy?stack=shop", token, json={"image": "web:2"})
        assert began.status_code == 202, began.text
        (deed,) = await scene.trail()
        assert (deed.who, deed.role, deed.via, deed.origin) == (
            "deployer of shop",
            Role.DEPLOYER,
            "token",
            "10.0.0.9",
        )
        assert (deed.what, deed.target, deed.stack) == ("deploy (services)", "web", "shop")
        assert (deed.outcome, deed.rollout) == ("done", began.json()["rollout"]["id"])
        assert deed.at == scene.world.clock.now()

    play(story)


def test_what_is_refused_leaves_a_line_with_the_reason() -> None:
    async def story(scene: Scene) -> None:
        viewer, admin = await scene.token(Role.VIEWER), await scene.token(Role.ADMIN)
        await scene.ask("POST", "/v1/services/web/scale?stack=shop", viewer, json={"replicas": 0})
        await scene.ask("POST", "/v1/services/nosuch/scale", admin, json={"replicas": 1})
        await scene.ask("POST", "/v1/services/web/scale?stack=shop", admin, json={"replicas": "many"})
        await scene.ask("POST", "/v1/services/web/stop?stack=shop", admin, json={})
        assert [deed.outcome for deed in reversed(await scene.trail())] == [
            "forbidden",
            "unknown_service",
            "invalid_request",
            "live_color",
        ]

    play(story)


def test_what_is_made_is_named() -> None:
    async def story(scene: Scene) -> None:
        admin = await scene.token(Role.ADMIN)
        await scene.ask("POST", "/v1/tokens", admin, json={"name": "spare", "role": "admin"})
        await scene.ask("POST", f"/v1/hooks?stack={SHOP}", admin, json={"name": "ci", "service": "web"})
        await scene.ask("POST", "/v1/tokens", admin, content=b"\xff{")
        made = [(deed.what, deed.target, deed.outcome) for deed in reversed(await scene.trail())]
        assert made == [
            ("create token (access)", "spare", "done"),
            ("create hook (hooks)", "ci", "done"),
            ("create token (access)", "", "invalid_request"),
        ]

    play(story)


def test_questions_leave_none() -> None:
    async def story(scene: Scene) -> None:
        admin = await scene.token(Role.ADMIN)
        stack = (await scene.ask("GET", "/v1/stacks/shop", admin)).json()
        assert (await scene.ask("POST", "/v1/stacks/shop/plan", admin, json=stack)).status_code == 200
        assert (await scene.ask("GET", "/v1/audit", admin)).json() == []

    play(story)


def test_the_trail_is_read_back_by_words_and_stack() -> None:
    async def story(scene: Scene) -> None:
        admin = await scene.token(Role.ADMIN)
        await scene.ask("POST", "/v1/services/web/scale?stack=shop", admin, json={"replicas": 2})
        await scene.ask("POST", "/v1/services/web/scale?stack=blog", admin, json={"replicas": 2})
        found = (await scene.ask("GET", "/v1/audit?words=SCALE&stack=blog", admin)).json()
        assert [(one["what"], one["stack"]) for one in found] == [("scale (services)", "blog")]
        older = (await scene.ask("GET", f"/v1/audit?before={found[0]['id']}", admin)).json()
        assert [one["stack"] for one in older] == ["shop"]

    play(story)


def test_a_token_is_shown_once_and_its_secret_nowhere_else() -> None:
    async def story(scene: Scene) -> None:
        admin = await scene.token(Role.ADMIN)
        made = await scene.ask("POST", "/v1/tokens", admin, json={"name": "ci", "role": "deployer"})
        assert made.status_code == 201, made.text
        text = made.json()["text"]
        secret = text.split("_", 2)[2]
        assert (await scene.ask("GET", "/v1/whoami", text)).json()["name"] == "ci"
        told = [(await scene.ask("GET", f"/v1/{noun}", admin)).text for noun in ("tokens", "audit", "events")]
        assert not [words for words in told if secret in words or "digest" in words]
        twice = await scene.ask("POST", "/v1/tokens", admin, json={"name": "ci", "role": "viewer"})
        assert (twice.status_code, twice.json()["code"]) == (409, "token_exists")
        assert (await scene.ask("DELETE", "/v1/tokens/ci", admin)).status_code == 200
        assert (await scene.ask("GET", "/v1/whoami", text)).status_code == 401

    play(story)


def test_a_stack_that_calls_itself_otherwise_is_not_let_in() -> None:
    async def story(scene: Scene) -> None:
        admin, limited = await scene.token(Role.ADMIN), await scene.token(Role.DEPLOYER, "blog")
        shop = (await scene.ask("GET", "/v1/stacks/shop", admin)).json()
        answer = await scene.ask("PUT", "/v1/stacks/blog", limited, json=shop)
        assert (answer.status_code, answer.json()["code"]) == (400, "name_mismatch")

    play(story)
