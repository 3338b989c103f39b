"""Each role against each operation that the API describes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.api.access import rights
from bluegreen.api.access.rights import Operation
from bluegreen.api.access.route import GuardedRoute
from bluegreen.api.app import ROUTERS
from bluegreen.cli.files import document
from bluegreen.domain.access import Role
from bluegreen.domain.stack import StackSpec
from bluegreen.engine.commands import releases
from tests.unit.api.operations import OPERATIONS, STREAMS, address
from tests.unit.api.scene import BLOG, SHOP, Scene, play
from tests.unit.engine.world import bring_up, managed, service

REFUSED = {401, 403}

BY_TOKEN = [o for o in OPERATIONS if o not in rights.SIGNED]
"""A hook's signature has tests of its own."""


def test_every_operation_is_in_the_table_and_nothing_else_is() -> None:
    assert sorted(rights.NEEDED) == OPERATIONS
    assert set(OPERATIONS) >= rights.OF_NO_STACK | rights.QUESTIONS
    assert set(OPERATIONS) >= STREAMS | rights.SIGNED


def test_every_operation_has_its_guard() -> None:
    found = [route for router in ROUTERS for route in router.routes]
    assert len(found) == len(OPERATIONS)
    assert {type(route) for route in found} == {GuardedRoute}


async def path_of(scene: Scene, operation: Operation, stack: str = SHOP) -> str:
    path = address(operation[1], stack)
    if "{id}" in path:
        rollouts = [r for r in scene.engine.rollouts() if r.stack == stack]
        rollout = rollouts[0] if rollouts else await releases.deploy(scene.engine, "web", stack=stack)
        path = path.replace("{id}", rollout.id)
    return path


@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_without_a_token_nothing_is_told(operation: Operation) -> None:
    async def story(scene: Scene) -> None:
        path = await path_of(scene, operation)
        for headers in (
            {},
            {"Authorization": "Bearer"},
            {"Authorization": "Basic cm9vdDpyb290"},
            {"Authorization": "Bearer bg_0_0"},
        ):
            answer = await scene.ask(operation[0], path, headers=headers)
            assert answer.status_code == 401, answer.text
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.json()["code"] == "unauthenticated"
        assert await scene.trail() == []

    play(story)


@pytest.mark.parametrize("operation", BY_TOKEN, ids=" ".join)
def test_a_role_may_do_what_the_table_says_and_no_more(operation: Operation) -> None:
    async def story(scene: Scene) -> None:
        path = await path_of(scene, operation)
        for role in Role:
            enough = role.covers(rights.needed(operation))
            if enough and operation in STREAMS:
                continue
            answer = await scene.ask(operation[0], path, await scene.token(role))
            if enough:
                assert answer.status_code not in REFUSED, answer.text
                assert answer.status_code < 500, answer.text
            else:
                assert answer.status_code == 403
                told = answer.json()
                assert (told["code"], told["exit_code"]) == ("forbidden", 2)
                assert dict(told["evidence"])["needed"] == rights.needed(operation)

    play(story)


@pytest.mark.parametrize("operation", BY_TOKEN, ids=" ".join)
def test_a_token_for_one_stack_opens_that_one_only(operation: Operation) -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.ADMIN, BLOG)
        if operation in rights.OF_NO_STACK:
            assert (await scene.ask(operation[0], operation[1], token)).status_code == 200
            return
        elsewhere = await scene.ask(operation[0], await path_of(scene, operation, SHOP), token)
        assert elsewhere.status_code == 403, elsewhere.text
        assert "shop" not in elsewhere.text.lower().replace(BLOG, "")
        if operation in STREAMS or operation in OF_ALL or "lb" in address(operation[1], BLOG):
            return
        own = await scene.ask(operation[0], await path_of(scene, operation, BLOG), token)
        assert own.status_code not in REFUSED, own.text

    play(story)


STOLEN = (
    ("PUT", "/v1/routes/lb/maintenance", {"why": "mine", "page": "<h1>mine</h1>"}),
    ("DELETE", "/v1/routes/lb/maintenance", None),
    ("POST", "/v1/routes/lb/switch", {"target": "web"}),
    ("PUT", "/v1/balancers/lb/links", {"links": []}),
    ("GET", "/v1/services/lb", None),
    ("GET", "/v1/services/lb/link-variables", None),
    ("POST", "/v1/services/lb/redeploy", {}),
    ("POST", "/v1/services/lb/rollback", {}),
)
"""What takes a route or a balancer by its name, in whichever stack it is."""


@pytest.mark.parametrize(("method", "path", "body"), STOLEN, ids=lambda value: str(value)[:40])
def test_a_name_of_ones_own_opens_nothing_of_others(method: str, path: str, body: object) -> None:
    """Who is limited to a stack calls a service of it as another stack's balancer and route are called."""

    async def story(scene: Scene) -> None:
        await bring_up(scene.world, scene.engine, replace(services_only(BLOG), services=(service("lb"),)))
        before = scene.engine.ledger.stacks[SHOP]
        token = await scene.token(Role.DEPLOYER, BLOG)
        for within in ("", "?stack=", f"?stack={SHOP}"):
            answer = await scene.ask(method, path + within, token, **({} if body is None else {"json": body}))
            if SHOP in within:
                assert answer.status_code == 403, answer.text
            assert f'"{SHOP}' not in answer.text.replace(path, ""), answer.text
        assert scene.engine.ledger.stacks[SHOP] is before
        assert not [r for r in scene.engine.rollouts() if r.stack == SHOP and not r.final]

    play(story)


def test_a_rollout_of_others_is_no_service_of_ones_own() -> None:
    async def story(scene: Scene) -> None:
        theirs = await releases.deploy(scene.engine, "web", stack=SHOP)
        own = theirs.id[:3]
        await bring_up(scene.world, scene.engine, replace(services_only(BLOG), services=(service(own),)))
        await releases.deploy(scene.engine, own, stack=BLOG)
        token = await scene.token(Role.DEPLOYER, BLOG)
        for verb in ("pause", "promote", "resume"):
            for within in ("?stack=", ""):
                answer = await scene.ask("POST", f"/v1/rollouts/{own}/{verb}{within}", token)
                assert answer.is_error or answer.json()["stack"] == BLOG, answer.text
        assert not scene.engine.active((SHOP, "web")).paused  # type: ignore[union-attr]

    play(story)


def test_who_is_limited_is_told_of_no_other_stack() -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.VIEWER, BLOG)
        listed = await scene.ask("GET", f"/v1/stacks?stack={BLOG}", token)
        assert [stack["name"] for stack in listed.json()] == [BLOG]
        listed = await scene.ask("GET", "/v1/stacks", await scene.token(Role.VIEWER))
        assert {stack["name"] for stack in listed.json()} == {BLOG, SHOP}

    play(story)


@pytest.mark.parametrize("name", ["lb.bank", "bank/lb", "", "-web", "a" * 64])
def test_nothing_is_named_as_if_it_were_of_another_stack(name: str) -> None:
    async def story(scene: Scene) -> None:
        wanted = document(replace(services_only(BLOG), services=(service(name),)))
        answer = await scene.ask("PUT", f"/v1/stacks/{BLOG}", await scene.token(Role.ADMIN), json=wanted)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_name"), answer.text

    play(story)


def services_only(name: str) -> StackSpec:
    return replace(managed(), name=name, routes=(), balancers=())


OF_ALL = frozenset(
    o for o in OPERATIONS if "/tokens" in o[1] or "/hooks" in o[1] or o[1].endswith("{format}")
)
"""What a token with a limit may not do at all, or what is not there in this scene."""
