"""Locks by the API and by the dashboard: who is told to have given one, and who may."""

from __future__ import annotations

from bluegreen.domain.access import Role
from bluegreen.engine.commands import locks
from tests.unit.api.browser import Browser
from tests.unit.api.scene import BLOG, SHOP, Scene, play

WEB, WHOLE = f"/v1/services/web/lock?stack={SHOP}", f"/v1/stacks/{SHOP}/lock"
WHY = {"why": "the sale"}


def test_a_lock_bears_the_name_of_who_gave_it_and_is_in_the_audit_trail() -> None:
    async def story(scene: Scene) -> None:
        ana, viewer = await scene.token(Role.DEPLOYER), await scene.token(Role.VIEWER)
        given = await scene.ask("PUT", WEB, ana, json=WHY | {"seconds": 60})
        assert (given.status_code, given.json()["who"]) == (200, "deployer of all")
        assert given.json()["until"] - given.json()["since"] == 60
        assert (await scene.ask("PUT", WHOLE, ana, json=WHY)).json()["service"] == ""
        for path in ("/v1/locks", "/v1/status"):
            told = (await scene.ask("GET", path, viewer)).json()
            listed = told if path == "/v1/locks" else told["locks"]
            assert [lock["service"] for lock in listed] == ["web", ""]
        refused = await scene.ask("POST", f"/v1/services/web/deploy?stack={SHOP}", ana, json={})
        assert (refused.status_code, refused.json()["code"]) == (409, "locked")
        assert ["by", "deployer of all"] in refused.json()["evidence"]
        for path in (WEB, WHOLE):
            assert (await scene.ask("DELETE", path, ana)).status_code == 200
        again = await scene.ask("DELETE", WEB, ana)
        assert (again.status_code, again.json()["code"]) == (409, "not_locked")
        deeds = [(deed.what, deed.outcome) for deed in reversed(await scene.trail())]
        assert deeds == [
            ("lock service (locks)", "done"),
            ("lock stack (locks)", "done"),
            ("deploy (services)", "locked"),
            ("unlock service (locks)", "done"),
            ("unlock stack (locks)", "done"),
            ("unlock service (locks)", "not_locked"),
        ]

    play(story)


def test_who_is_limited_to_a_stack_locks_that_one_only_and_sees_its_locks() -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.DEPLOYER, BLOG)
        for path in (WEB, WHOLE):
            assert (await scene.ask("PUT", path, token, json=WHY)).status_code == 403
        own = f"/v1/stacks/{BLOG}/lock"
        assert (await scene.ask("PUT", own, token, json=WHY)).status_code == 200
        await locks.lock(scene.engine, SHOP, who="ana", why="new disks")
        listed = await scene.ask("GET", f"/v1/locks?stack={BLOG}", token)
        assert [lock["why"] for lock in listed.json()] == ["the sale"]
        async with Browser(scene.app) as browser:
            await browser.log_in(token)
            page = (await browser.get("/")).text
            assert "the sale" in page
            assert "new disks" not in page

    play(story)


def test_the_page_says_who_locked_it_and_its_buttons_lock_and_unlock() -> None:
    async def story(scene: Scene) -> None:
        base = f"/services/{SHOP}/web"
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(Role.DEPLOYER))
            assert f"{base}/lock" in (await browser.get(base)).text
            for wrong in ({"why": "", "seconds": ""}, {"why": "the sale", "seconds": "7"}):
                assert (await browser.submit(f"{base}/lock", **wrong)).status_code == 400
            await browser.submit(f"{base}/lock", why="the <b>sale</b>", seconds="3600")
            page = (await browser.get(base)).text
            assert "is locked by deployer of all" in page
            assert "1 h more: the &lt;b&gt;sale&lt;/b&gt;" in page
            refused = await browser.submit(f"{base}/deploy", image="web:2")
            assert (refused.status_code, "is locked" in refused.text) == (409, True)
            asked = (await browser.get(f"{base}/unlock")).text
            assert "deployer of all locked it" in asked
            await browser.submit(f"{base}/unlock")
            assert locks.listed(scene.engine) == ()
            await locks.lock(scene.engine, SHOP, who="ana", why="new disks")
            assert "Unlock the stack shop?" in (await browser.get(f"{base}/unlock")).text
            await browser.submit(f"{base}/unlock")
            assert (await browser.get(f"{base}/unlock")).status_code == 409

    play(story)
