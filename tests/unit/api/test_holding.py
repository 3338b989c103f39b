"""Pause, resume and promote by the API and by the dashboard: who may, by which name, and what pages say."""

from __future__ import annotations

import asyncio
import re

from bluegreen.api.web import looks
from bluegreen.domain.access import Role
from bluegreen.domain.rollout import Phase, Rollout
from bluegreen.engine.commands import releases
from tests.unit.api.browser import Browser, field
from tests.unit.api.scene import BLOG, SHOP, Scene, play
from tests.unit.engine.world import finished, reaches


async def settled(scene: Scene) -> Rollout:
    rollout = await releases.deploy(scene.engine, "web", stack=SHOP, image="web:2")
    return await reaches(scene.engine, rollout, lambda r: r.settled)


def test_a_service_names_its_rollout_in_the_stack_that_is_meant() -> None:
    async def story(scene: Scene) -> None:
        rollout = await settled(scene)
        token = await scene.token(Role.DEPLOYER)
        answer = await scene.ask("POST", "/v1/rollouts/web/pause", token)
        assert answer.json()["code"] == "ambiguous"
        answer = await scene.ask("POST", f"/v1/rollouts/web/pause?stack={SHOP}", token)
        assert (answer.json()["id"], answer.json()["paused_at"] > 0) == (rollout.id, True)
        assert answer.json()["outcome"]["exit_code"] == 0  # users are served: only the old color is held
        answer = await scene.ask("POST", f"/v1/rollouts/{rollout.id[:7]}/resume", token)
        assert (answer.status_code, answer.json()["paused_at"]) == (200, 0.0)
        answer = await scene.ask("POST", f"/v1/rollouts/web.{SHOP}/promote", token, json={"skip": "shares"})
        assert (answer.status_code, answer.json()["code"]) == (409, "too_late")
        answer = await scene.ask("POST", f"/v1/rollouts/web.{SHOP}/promote", token, json={"skip": "bake"})
        assert answer.status_code == 200
        assert (await finished(scene.world, rollout)).phase is Phase.DONE
        deeds = [deed for deed in await scene.trail() if deed.rollout == rollout.id]
        assert {deed.who for deed in deeds} == {"deployer of all"}
        assert len(deeds) >= 3

    play(story)


def test_who_is_limited_to_a_stack_holds_nothing_of_another_by_whatever_name() -> None:
    async def story(scene: Scene) -> None:
        rollout = await settled(scene)
        token = await scene.token(Role.DEPLOYER, BLOG)
        for name in (rollout.id, f"web.{SHOP}", "web"):
            answer = await scene.ask("POST", f"/v1/rollouts/{name}/pause", token)
            assert answer.status_code == 403, answer.text
        assert not (await reaches(scene.engine, rollout, lambda r: r.settled)).paused

    play(story)


def test_the_page_says_what_it_will_do_and_does_that_only() -> None:
    async def story(scene: Scene) -> None:
        rollout = await settled(scene)
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(Role.DEPLOYER))
            page = (await browser.get(f"/services/{SHOP}/web")).text
            assert f"/rollouts/{rollout.id}/pause" in page
            assert f"/rollouts/{rollout.id}/promote" in page
            asked = await browser.get(f"/rollouts/{rollout.id}/pause")
            assert "The old color stays as it is" in asked.text
            csrf = field(asked, "csrf")
            await browser.http.post(f"/rollouts/{rollout.id}/pause", data={"csrf": csrf})
            page = (await browser.get(f"/rollouts/{rollout.id}")).text
            assert re.search(r"paused</strong> for .* once resumed", page)
            assert f"/rollouts/{rollout.id}/resume" in page
            asked = await browser.get(f"/rollouts/{rollout.id}/promote")
            assert "is drained, then stopped" in asked.text
            assert field(asked, "skip") == "bake"
            stale = {"csrf": csrf, "skip": "shares"}
            refused = await browser.http.post(f"/rollouts/{rollout.id}/promote", data=stale)
            assert (refused.status_code, "too_late" in refused.text) == (409, True)
            await browser.http.post(f"/rollouts/{rollout.id}/promote", data={"csrf": csrf, "skip": "bake"})
        ended = await finished(scene.world, rollout)
        assert ended.phase is Phase.DONE

    play(story)


def test_who_acts_is_not_shown_what_was_before() -> None:
    """A part of a page is kept for a moment, but not over what somebody did in that moment."""

    async def story(scene: Scene) -> None:
        rollout = await settled(scene)
        path = f"/rollouts/{rollout.id}"
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(Role.DEPLOYER))
            csrf = field(await browser.get(f"{path}/pause"), "csrf")
            for verb, offered in (("pause", "resume"), ("resume", "pause")):
                before = (await browser.get(path, headers={"HX-Request": "true"})).text
                await browser.http.post(f"{path}/{verb}", data={"csrf": csrf})
                after = (await browser.get(path, headers={"HX-Request": "true"})).text
                assert (f"{path}/{verb}" in before, f"{path}/{verb}" in after) == (True, False)
                assert f"{path}/{offered}" in after

    play(story)


def test_who_aborts_sees_what_came_of_it_and_not_for_ever() -> None:
    async def story(scene: Scene) -> None:
        rollout = await settled(scene)
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(Role.DEPLOYER))
            await releases.abort(scene.engine, rollout.id)
            assert (await finished(scene.world, rollout)).phase is Phase.REVERTED
            page = (await browser.get(f"/services/{SHOP}/web")).text
            assert '<span class="outcome reverted">reverted</span></h2>' in page
            assert "traffic is back where it was" in page
            assert f"/rollouts/{rollout.id}/abort" not in page
            await asyncio.sleep(looks.FRESH + 1)
            page = (await browser.get(f"/services/{SHOP}/web")).text
            assert "traffic is back where it was" not in page

    play(story)
