"""Each page: who sees it, what it says, what its buttons do, and the headers around it."""

from __future__ import annotations

import re

import httpx
import pytest

from bluegreen.api.access import rights
from bluegreen.api.access.rights import Operation
from bluegreen.api.app import PAGES
from bluegreen.api.web import entry, reference
from bluegreen.api.web.page import PageRoute
from bluegreen.domain.access import Role
from bluegreen.domain.naming import PoolId
from bluegreen.engine.commands import locks, releases, services
from bluegreen.ports.requests import Batch, Seen
from tests.unit.api.browser import Browser, field
from tests.unit.api.scene import BLOG, SHOP, Scene, play
from tests.unit.engine.world import finished, reaches

ALL: list[Operation] = sorted(rights.PAGES)
SHOWN = [o for o in ALL if o[0] == "GET" and o[1] != "/live"]
PLAIN = sorted(rights.SIFTED - {("GET", "/live")})


def test_every_page_is_in_the_table_and_has_its_guard() -> None:
    found = [route for router in PAGES for route in router.routes]
    assert all(isinstance(route, PageRoute) for route in found)
    assert sorted((m, r.path) for r in found for m in r.methods) == ALL
    opened = [(m, r.path) for r in (*entry.router.routes, *reference.router.routes) for m in r.methods]
    assert set(opened) == rights.OPEN
    assert set(ALL) >= rights.SIFTED
    assert not set(ALL) & set(rights.NEEDED)


async def path_of(scene: Scene, path: str, stack: str = SHOP) -> str:
    if "{id}" in path:
        rollouts = [r for r in scene.engine.rollouts() if r.stack == stack and not r.final]
        rollout = rollouts[0] if rollouts else await releases.deploy(scene.engine, "web", stack=stack)
        path = path.replace("{id}", rollout.id)
    if path.endswith("/unlock") and not locks.listed(scene.engine, stack):
        await locks.lock(scene.engine, stack, who="ana", why="the sale")
    name = f"{stack}-web-r1-1" if path.startswith("/instances") else "lb" if "routes" in path else "web"
    return path.replace("{stack}", stack).replace("{name}", name)


def test_who_is_not_known_is_sent_to_the_log_in() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            for method, path in ALL:
                where = await path_of(scene, path)
                answer = await browser.http.request(method, where)
                assert (answer.status_code, answer.headers["Location"][:6]) == (303, "/login")
                stream = await browser.http.request(method, where, headers={"Accept": "text/event-stream"})
                assert stream.status_code == 401
                part = await browser.http.request(method, where, headers={"HX-Request": "true"})
                assert (part.status_code, part.headers["HX-Redirect"][:6]) == (401, "/login")
        assert await scene.trail() == []

    play(story)


@pytest.mark.parametrize("role", Role)
def test_a_role_sees_what_the_table_says(role: Role) -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(role))
            csrf = field(await browser.get("/"), "csrf")
            for method, path in ALL:
                enough = role.covers(rights.needed((method, path)))
                if enough and path == "/live":
                    continue
                sent = {"data": {"csrf": csrf}} if method == "POST" else {}
                answer = await browser.http.request(method, await path_of(scene, path), **sent)
                if enough:
                    assert answer.status_code not in {401, 403}, answer.text
                    assert answer.status_code < 500, answer.text
                else:
                    assert answer.status_code == 403
                    assert f"this takes {rights.needed((method, path))}" in answer.text

    play(story)


def test_a_token_for_one_stack_sees_that_one_only() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(Role.ADMIN, BLOG))
            csrf = field(await browser.get("/"), "csrf")
            for method, path in ALL:
                sent = {"data": {"csrf": csrf}} if method == "POST" else {}
                where = (
                    path + f"?stack={SHOP}" if (method, path) in rights.SIFTED else await path_of(scene, path)
                )
                elsewhere = await browser.http.request(method, where, **sent)
                assert elsewhere.status_code == 403, where
                assert "in flight" not in elsewhere.text
            for _, path in PLAIN:
                shown = await browser.get(path)
                assert shown.status_code == 200
                assert not re.search(r"\bshop\b", shown.text)

    play(story)


def test_every_page_has_its_headers_and_nothing_inline() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            check(await browser.get("/login"))
            check(await browser.get("/static/style.css"))
            check(await browser.get("/docs"))
            await browser.log_in(await scene.token(Role.ADMIN))
            for _, path in SHOWN:
                check(await browser.get(await path_of(scene, path)))

    play(story)


def check(answer: httpx.Response) -> None:
    assert answer.status_code in {200, 400}, answer.text  # 400: there is nowhere to switch to
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    if "html" in answer.headers["Content-Type"]:
        assert answer.headers["Cache-Control"] == "no-store"
        inline = r"<style|\sstyle=|\son\w+=|<script(?! src=\"/static/)|javascript:"
        assert not re.search(inline, answer.text)
        assert not re.findall(r"(?:src|href|action)=\"(?!/|#)", answer.text)


def test_every_post_without_the_secret_is_refused_and_written_down() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(Role.ADMIN))
            posts = [o for o in ALL if o[0] == "POST"]
            for operation in posts:
                answer = await browser.http.post(await path_of(scene, operation[1]), data={"csrf": "x"})
                assert (answer.status_code, "forged_request" in answer.text) == (403, True)
            trail = await scene.trail()
            assert [d.outcome for d in trail[: len(posts)]] == ["forged_request"] * len(posts)

    play(story)


def test_the_overview_says_what_is_live() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(Role.VIEWER))
            text = (await browser.get("/")).text
            for words in ("shop", "blog", "web:1", "100 %", 'class="livemark">live<', "1 of 1", "Running"):
                assert words in text, words
            service = (await browser.get("/services/shop/web")).text
            assert "shop-web-r1-1" in service
            assert "Deploy…" not in service
            assert "Drain…" not in service

    play(story)


def test_a_deploy_by_the_button_is_asked_first_and_then_followed() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(Role.DEPLOYER))
            asked = (await browser.get("/services/shop/web/deploy")).text
            assert "all traffic of lb moves to it in one step" in asked
            assert "Do nothing" in asked
            answer = await browser.submit("/services/shop/web/deploy", image="web:2")
            assert (answer.status_code, answer.headers["Location"]) == (303, "/services/shop/web")
            page = (await browser.get("/services/shop/web")).text
            assert 'aria-current="step"' in page
            assert "Abort…" in page
            (deed,) = [d for d in await scene.trail() if d.what == "deploy (services)"]
            assert (deed.via, deed.outcome, deed.stack, deed.target) == ("session", "done", "shop", "web")
            assert f"/rollouts/{deed.rollout}" in page
            await scene.engine.until(deed.rollout, lambda r: r.final)
            told = (await browser.get(f"/rollouts/{deed.rollout}")).text
            assert "healthy, by our probe and by the balancer" in told
            assert deed.rollout in (await browser.get("/history?words=web:2")).text
            assert deed.rollout not in (await browser.get("/history?words=web:3")).text

    play(story)


def test_what_is_refused_says_why_and_what_to_do() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(Role.DEPLOYER))
            answer = await browser.submit("/instances/shop-web-r1-1/drain", why="<b>disk</b>")
            assert answer.status_code == 409
            assert "is the last instance of shop.web.blue that serves" in answer.text
            assert "last_instance" in answer.text
            assert "Scale first" in answer.text
            forced = await browser.submit("/instances/shop-web-r1-1/drain", why="<b>disk</b>", force="yes")
            assert forced.headers["Location"] == "/services/shop/web"
            page = (await browser.get("/services/shop/web")).text
            assert "&lt;b&gt;disk&lt;/b&gt;" in page
            assert (await browser.submit("/instances/shop-web-r1-1/ready")).status_code == 303
            many = await browser.submit("/services/shop/web/scale", replicas="many")
            assert (many.status_code, "to be a number" in many.text) == (400, True)
            assert (await browser.get("/services/shop/nosuch")).status_code == 404
            assert (await browser.get("/services/shop/web.shop")).status_code == 200

    play(story)


def test_what_one_looks_for_is_shown_as_it_is() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(Role.ADMIN))
            for _, path in PLAIN:
                text = (await browser.get(path, params={"words": '"><script>alert(1)</script>'})).text
                assert "<script>alert" not in text

    play(story)


def test_the_last_minute_is_shown_by_color_and_nothing_is_made_up() -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.VIEWER)
        (service,) = (await scene.ask("GET", "/v1/services", token, params={"stack": SHOP})).json()
        assert service["colors"][0]["traffic"] is None
        async with Browser(scene.app) as browser:
            await browser.log_in(token)
            for path in ("/", "/services/shop/web"):
                assert "<dt>p50 / p95</dt><dd>—</dd>" in (await browser.http.get(path)).text
            blue = PoolId("shop.web.blue")
            scene.engine.meter.take(Batch(seen={Seen(blue, 200, 20): 90, Seen(blue, 502, 700): 10}))
            for path in ("/", "/services/shop/web"):
                text = (await browser.http.get(path)).text
                assert '<dt>errors</dt><dd class="bad">10 %</dd>' in text
                assert "<dd>18 ms / 750 ms</dd>" in text
        (service,) = (await scene.ask("GET", "/v1/services", token, params={"stack": SHOP})).json()
        assert service["colors"][0]["traffic"]["errors"] == pytest.approx(0.1)

    play(story)


def test_the_api_describes_itself_without_a_script() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            text = (await browser.get("/docs")).text
            assert "<script" not in text
            for method, path in rights.NEEDED:
                assert f"<strong>{method}</strong> {path}<" in text
            assert "how many of the last lines" in text

    play(story)


def test_a_form_that_is_sent_twice_does_nothing_the_second_time() -> None:
    """Else a second click on “Roll back” went back one release further than the page said."""

    async def story(scene: Scene) -> None:
        for image in ("web:2", "web:3"):
            rollout = await releases.deploy(scene.engine, "web", stack=SHOP, image=image)
            await reaches(scene.engine, rollout, lambda r: r.settled)
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(Role.DEPLOYER))
            path = f"/services/{SHOP}/web/rollback"
            asked = await browser.get(path)
            assert "which is still warm" in asked.text
            sent = {"csrf": field(asked, "csrf"), "seen": field(asked, "seen")}
            assert (await browser.http.post(path, data=sent)).status_code == 303
            again = await browser.http.post(path, data=sent)
            assert (again.status_code, "changed since you opened the page" in again.text) == (409, True)
        await finished(scene.world, rollout)
        assert scene.engine.ledger.services[SHOP, "web"].promoted[-1] == 2
        assert not [r for r in scene.engine.rollouts() if r.stack == SHOP and not r.final]

    play(story)


def test_a_page_that_is_out_of_date_releases_nothing() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(Role.DEPLOYER))
            path = f"/services/{SHOP}/web/deploy"
            asked = await browser.get(path)
            await services.set_image(scene.engine, "web", "web:9", stack=SHOP)
            sent = {"csrf": field(asked, "csrf"), "seen": field(asked, "seen"), "image": "web:1"}
            assert (await browser.http.post(path, data=sent)).status_code == 409
        assert not [r for r in scene.engine.rollouts() if r.stack == SHOP and not r.final]

    play(story)
