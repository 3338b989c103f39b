"""Two people who change one stack: the second one is told, not overwritten."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.domain.access import Role
from tests.unit.api.scene import Scene, play


def test_the_second_of_two_who_saw_the_same_is_refused() -> None:
    async def story(scene: Scene) -> None:
        admin = await scene.token(Role.ADMIN)
        seen = await scene.ask("GET", "/v1/stacks/shop", admin)
        condition = {"If-Match": seen.headers["ETag"]}
        stack = seen.json()
        for same in (scaled(stack, 3), scaled(stack, 3)):  # who wanted the same was only faster
            first = await scene.ask("PUT", "/v1/stacks/shop", admin, json=same, headers=condition)
            assert first.status_code == 200, first.text
        second = await scene.ask("PUT", "/v1/stacks/shop", admin, json=scaled(stack, 4), headers=condition)
        assert (second.status_code, second.json()["code"]) == (412, "stack_changed")
        again = await scene.ask("GET", "/v1/stacks/shop", admin)
        told = dict(second.json()["evidence"])
        assert {f'"{told["you saw generation"]}"', f'"{told["stored now"]}"'} == {
            seen.headers["ETag"],
            again.headers["ETag"],
        }

    play(story)


@pytest.mark.parametrize(
    ("tag", "status"), [("*", 200), (None, 200), ('"0"', 412), ('W/"0"', 412), ("yesterday", 400)]
)
def test_what_a_condition_may_be(tag: str | None, status: int) -> None:
    async def story(scene: Scene) -> None:
        admin = await scene.token(Role.ADMIN)
        stack = scaled((await scene.ask("GET", "/v1/stacks/shop", admin)).json(), 3)
        headers = {} if tag is None else {"If-Match": tag}
        answer = await scene.ask("PUT", "/v1/stacks/shop", admin, json=stack, headers=headers)
        assert answer.status_code == status, answer.text

    play(story)


def test_a_stack_that_must_be_new() -> None:
    async def story(scene: Scene) -> None:
        admin = await scene.token(Role.ADMIN)
        stack = (await scene.ask("GET", "/v1/stacks/blog", admin)).json() | {"name": "wiki"}
        new = {"If-Match": '"0"'}
        codes = [
            (await scene.ask("PUT", "/v1/stacks/wiki", admin, json=scaled(stack, n), headers=new)).status_code
            for n in (1, 2)
        ]
        assert codes == [200, 412]

    play(story)


def test_a_plan_says_what_it_was_made_from() -> None:
    async def story(scene: Scene) -> None:
        admin = await scene.token(Role.ADMIN)
        seen = await scene.ask("GET", "/v1/stacks/shop", admin)
        planned = await scene.ask("POST", "/v1/stacks/shop/plan", admin, json=seen.json())
        assert planned.headers["ETag"] == seen.headers["ETag"]
        wiki = seen.json() | {"name": "wiki"}
        new = await scene.ask("POST", "/v1/stacks/wiki/plan", admin, json=wiki)
        assert new.headers["ETag"] == '"0"'

    play(story)


def scaled(stack: dict[str, Any], replicas: int) -> dict[str, Any]:
    return stack | {"services": [service | {"replicas": replicas} for service in stack["services"]]}
