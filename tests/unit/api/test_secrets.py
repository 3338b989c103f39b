"""No answer of the API holds a secret of a definition, whoever asks; and reading spoils no writing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bluegreen.api.access import rights
from bluegreen.domain.access import Role
from bluegreen.domain.errors import Permanent
from bluegreen.domain.routing import Tls
from bluegreen.domain.secrecy import MASK
from bluegreen.domain.stack import StackSpec
from bluegreen.engine.commands import lookup, releases, stacks
from tests.unit.api.operations import OPERATIONS, STREAMS
from tests.unit.api.scene import SHOP, Scene, play
from tests.unit.api.test_rights import path_of
from tests.unit.engine.world import finished

MARKED, TELLING = "a-canary-that-is-marked", "a-canary-by-its-name"
PASSWORD, KEY = "a-canary-of-an-account", "a-canary-of-a-certificate"
CANARIES = (MARKED, TELLING, PASSWORD, KEY)
SECRETS = {"DATABASE_URL": MARKED, "DB_PASSWORD": TELLING}

WRITTEN_OUT = ("GET", "/v1/export/{format}")
"""A configuration that another box can run: with the balancer's keys and passwords, not with environments."""

ENVIRONMENT = "/v1/services/web/environment?stack=shop"


async def plant(scene: Scene) -> None:
    """Have a service with two secrets, a release that holds them, and a balancer with two of its own."""
    spec = _with_accounts(scene.engine.ledger.spec(SHOP))
    web = spec.services[-1]
    planted = replace(web, environment={**SECRETS, "MODE": "fast"}, secrets=frozenset({"DATABASE_URL"}))
    begun = (await stacks.up(scene.engine, replace(spec, services=(*spec.services[:-1], planted)))).rollouts
    for rollout in begun:
        await finished(scene.world, await lookup.rollout(scene.engine, rollout.id))


def _with_accounts(spec: StackSpec) -> StackSpec:
    (lb,) = spec.balancers
    pem = f"-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----\n"
    (listener,) = lb.listeners
    guarded = replace(listener, tls=Tls(certificates=(pem,)), basic_auth=(("ana", PASSWORD),))
    return replace(spec, balancers=(replace(lb, listeners=(guarded,)),))


def stored(scene: Scene) -> dict[str, str]:
    service = scene.engine.ledger.spec(SHOP).service("web")
    assert service is not None
    return dict(service.environment)


def test_nobody_is_shown_a_secret_by_any_question() -> None:
    async def story(scene: Scene) -> None:
        await plant(scene)
        wish = {"image": "web:2", "environment": {"API_TOKEN": MARKED}}
        admin = await scene.token(Role.ADMIN)
        began = await scene.ask("POST", "/v1/services/web/deploy?stack=shop", admin, json=wish)
        assert began.status_code == 202, began.text
        questions = [o for o in OPERATIONS if o[0] == "GET" and o not in STREAMS and o != WRITTEN_OUT]
        tokens = {Role.ADMIN: admin, **{r: await scene.token(r) for r in (Role.DEPLOYER, Role.VIEWER)}}
        for turn in range(2):
            for operation in questions:
                path = await path_of(scene, operation)
                for role, token in tokens.items():
                    answer = await scene.ask(operation[0], path, token)
                    assert not [c for c in CANARIES if c in answer.text], (operation, role)
                    if role.covers(rights.needed(operation)):
                        assert answer.status_code not in {401, 403}, operation
            if not turn:
                await finished(scene.world, await lookup.rollout(scene.engine, began.json()["rollout"]["id"]))
        shown = (await scene.ask("GET", ENVIRONMENT, admin)).json()
        assert shown["DATABASE_URL"] == shown["DB_PASSWORD"] == MASK
        assert shown["MODE"] == "fast"

    play(story)


def test_what_is_read_can_be_written_back() -> None:
    async def story(scene: Scene) -> None:
        await plant(scene)
        token = await scene.token(Role.DEPLOYER)
        read = await scene.ask("GET", "/v1/stacks/shop", token)
        assert MASK in read.text
        planned = await scene.ask("POST", "/v1/stacks/shop/plan", token, json=read.json())
        assert {line["action"] for line in planned.json()} == {"keep"}, planned.text
        written = await scene.ask("PUT", "/v1/stacks/shop", token, json=read.json())
        assert (written.status_code, written.json()["rollouts"]) == (200, [])
        assert stored(scene) == {**SECRETS, "MODE": "fast"}
        assert all(canary in repr(scene.engine.ledger.spec(SHOP)) for canary in CANARIES)
        exported = await scene.ask("GET", "/v1/export/haproxy?stack=shop", token)
        assert not [canary for canary in (MARKED, TELLING) if canary in exported.text]

    play(story)


def test_a_mask_that_stands_for_nothing_is_refused() -> None:
    async def story(scene: Scene) -> None:
        await plant(scene)
        token = await scene.token(Role.DEPLOYER)
        read = (await scene.ask("GET", "/v1/stacks/shop", token)).json()
        read["services"][-1]["environment"]["OTHER_TOKEN"] = MASK
        refused = await scene.ask("PUT", "/v1/stacks/shop", token, json=read)
        assert (refused.status_code, refused.json()["code"]) == (400, "secret_unknown")
        assert "OTHER_TOKEN" in refused.json()["title"]

    play(story)


def test_other_variables_are_changed_without_the_secrets() -> None:
    async def story(scene: Scene) -> None:
        await plant(scene)
        token = await scene.token(Role.DEPLOYER)
        shown = (await scene.ask("GET", ENVIRONMENT, token)).json()
        wishes: list[dict[str, Any]] = [
            {"put": {"MODE": "slow"}},
            {"put": {**shown, "MODE": "slow"}, "replace_all": True},
        ]
        for wish in wishes:
            answer = await scene.ask("PATCH", ENVIRONMENT, token, json=wish)
            assert answer.json()["MODE"] == "slow"
            assert not [c for c in CANARIES if c in answer.text]
            assert stored(scene) == {**SECRETS, "MODE": "slow"}

    play(story)


def test_what_a_runtime_says_of_a_failure_is_told_without_them() -> None:
    async def story(scene: Scene) -> None:
        await plant(scene)
        refusal = Permanent(
            f"cannot start with {MARKED}",
            code="start_refused",
            evidence=(("runtime", f"env {TELLING}"),),
            hint=f"Not {MARKED}.",
        )
        scene.world.runtime.fail("start", refusal)
        rollout = await releases.deploy(scene.engine, "web", stack=SHOP, image="web:2")
        await scene.engine.until(rollout.id, lambda r: r.final)
        admin = await scene.token(Role.ADMIN)
        told = [
            (await scene.ask("GET", f"/v1/{p}", admin)).text for p in (f"rollouts/{rollout.id}", "events")
        ]
        assert f"cannot start with {MASK}" in told[0]
        assert f"env {MASK}" in told[0]
        assert not [text for text in told if any(canary in text for canary in CANARIES)]

    play(story)
