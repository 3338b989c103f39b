"""Log in, stay in for a while, log out; and what a request needs that changes something."""

from __future__ import annotations

import asyncio

from bluegreen.api.access.entrance import SOCKET, TCP
from bluegreen.api.access.sessions import LIFETIME, MOST_OF_ONE, Sessions
from bluegreen.domain.access import Role, issue
from tests.unit.api.browser import Browser, field
from tests.unit.api.scene import ROOT, SHOP, Scene, play

COOKIE = "__Host-bluegreen"


def test_a_token_opens_a_session() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            first = await browser.get("/history")
            assert (first.status_code, first.headers["Location"]) == (303, "/login?next=/history")
            answer = await browser.log_in(await scene.token(Role.VIEWER), "/history")
            assert (answer.status_code, answer.headers["Location"]) == (303, "/history")
            (cookie,) = [c for c in answer.headers.get_list("Set-Cookie") if c.startswith(COOKIE)]
            assert {"HttpOnly", "Secure", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
            assert "viewer of all" in (await browser.get("/history")).text
            me = (await browser.get("/v1/whoami")).json()
            assert (me["name"], me["via"]) == ("viewer of all", "session")
            (deed,) = await scene.trail()
            assert (deed.who, deed.what, deed.via) == ("viewer of all", "log in (dashboard)", "session")

    play(story)


def test_without_tls_the_cookie_is_not_secure_and_has_no_prefix() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app, base="http://127.0.0.1:8110") as browser:
            answer = await browser.log_in(await scene.token(Role.VIEWER))
            (cookie,) = [c for c in answer.headers.get_list("Set-Cookie") if c.startswith("bluegreen=")]
            assert "Secure" not in cookie
            assert (await browser.get("/")).status_code == 200

    play(story)


def test_it_ends_with_its_time_its_token_and_the_log_out() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            _, short = await scene.doorkeeper.issue("short", Role.VIEWER, ROOT, lifetime=30.0)
            await browser.log_in(short)
            assert (await browser.get("/")).status_code == 200
            await asyncio.sleep(31)
            assert (await browser.get("/")).status_code == 303

            await browser.log_in(await scene.token(Role.VIEWER))
            await scene.doorkeeper.withdraw("viewer of all")
            assert (await browser.get("/")).status_code == 303
            assert (await browser.get("/v1/status")).status_code == 401

            await browser.log_in(await scene.token(Role.DEPLOYER))
            page = await browser.get("/")
            forged = await browser.http.post("/logout", data={"csrf": "no"})
            assert forged.status_code == 303
            assert (await browser.get("/")).status_code == 200
            kept = browser.http.cookies[COOKIE]
            await browser.http.post("/logout", data={"csrf": field(page, "csrf")})
            browser.http.cookies.set(COOKIE, kept, domain="box")
            assert (await browser.get("/")).status_code == 303

    play(story)


def test_it_is_never_longer_than_the_token() -> None:
    sessions = Sessions()
    token, _ = issue("ci", Role.VIEWER, 0.0, lifetime=60.0)
    id = sessions.open(token, 0.0)
    assert sessions.find(id, 59.0) is not None
    assert sessions.find(id, 60.0) is None
    assert sessions.find("", 0.0) is None
    long, _ = issue("ci", Role.VIEWER, 0.0)
    id = sessions.open(long, 0.0)
    assert sessions.find(id, LIFETIME - 1) is not None
    assert sessions.find(id, LIFETIME) is None


def test_one_token_has_so_many_sessions_and_the_oldest_ends() -> None:
    sessions = Sessions()
    token, other = (issue(name, Role.VIEWER, 0.0)[0] for name in ("ci", "wall"))
    beside = sessions.open(other, 0.0)
    ids = [sessions.open(token, float(n)) for n in range(MOST_OF_ONE + 1)]
    assert sessions.find(ids[0], 100.0) is None
    assert all(sessions.find(id, 100.0) for id in (*ids[1:], beside))


def test_a_wrong_token_is_refused_and_who_tries_many_has_to_wait() -> None:
    async def story(scene: Scene) -> None:
        right = await scene.token(Role.VIEWER)
        async with Browser(scene.app) as browser:
            wrong = ["bg_0_0", "", "nonsense", right[:-1], *["bg_0_0"] * 6]
            codes = [(await browser.log_in(given)).status_code for given in wrong]
            assert codes == [401] * 10
            late = await browser.log_in(right[:-1])
            assert (late.status_code, COOKIE in browser.http.cookies) == (429, False)
            assert int(late.headers["Retry-After"]) > 0
            assert "too many wrong tokens" in late.text
            await browser.log_in(right)
            assert COOKIE in browser.http.cookies

    play(story)


def test_the_log_in_leads_to_no_other_place() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            token = await scene.token(Role.VIEWER)
            for to in ("//evil.example", "/\\evil.example", "https://evil.example", "x", "/\r\nx"):
                assert (await browser.log_in(token, to)).headers["Location"] == "/"

    play(story)


def test_nobody_logs_another_one_in() -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.ADMIN)
        async with Browser(scene.app) as thief, Browser(scene.app) as victim:
            form = await thief.get("/login")
            sent = {"csrf": field(form, "csrf"), "next": "/", "token": token}
            await victim.get("/login")
            answer = await victim.http.post("/login", data=sent)
            assert (answer.status_code, COOKIE in victim.http.cookies) == (403, False)

    play(story)


def test_a_call_of_the_api_by_cookie_proves_where_it_comes_from() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(Role.DEPLOYER))
            secret = field(await browser.get("/services/shop/web/scale"), "csrf")
            for headers, status in (({}, 403), ({"X-CSRF-Token": "é"}, 403), ({"X-CSRF-Token": secret}, 200)):
                raw = {key: value.encode() for key, value in headers.items()}
                answer = await browser.http.post(
                    "/v1/services/web/scale?stack=shop", json={"replicas": 2}, headers=raw
                )
                assert answer.status_code == status, answer.text
            assert answer.json()["replicas"] == 2
            assert [d.outcome for d in await scene.trail()][:3] == [
                "done",
                "forged_request",
                "forged_request",
            ]

    play(story)


def test_by_the_socket_no_log_in_is_wanted_but_the_secret_is() -> None:
    async def story(scene: Scene) -> None:
        async with Browser.by_socket(scene.app) as browser:
            assert (await browser.get("/login")).headers["Location"] == "/"
            assert "Log out" not in (await browser.get("/")).text
            forged = await browser.http.post("/services/shop/web/scale", data={"replicas": "2"})
            assert (forged.status_code, "forged_request" in forged.text) == (403, True)
            assert (await browser.submit("/services/shop/web/scale", replicas="2")).status_code == 303
            assert scene.engine.ledger.services[(SHOP, "web")].replicas == 2
            deeds = [(d.who, d.via, d.what, d.outcome) for d in await scene.trail()]
            assert deeds[0] == ("root", "socket", "scale (services)", "done")

    play(story)


def test_by_the_socket_a_page_has_no_name_of_others() -> None:
    async def story(scene: Scene) -> None:
        for name in ("localhost:8110", "127.0.0.1", "[::1]", "box", "evil.example"):
            async with Browser.by_socket(scene.app, f"http://{name}") as browser:
                assert (await browser.get("/")).status_code == (403 if name == "evil.example" else 200)
                assert (await browser.get("/v1/status")).status_code == (
                    403 if name == "evil.example" else 200
                )

    play(story)


CHANGE = "/v1/instances/shop-web-r1-1/drain"
FOREIGN: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "http://localhost.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8110"},
]


def test_a_page_of_another_site_changes_nothing_through_a_tunnel() -> None:
    async def story(scene: Scene) -> None:
        async with Browser.by_socket(scene.app, "http://localhost:8110") as browser:
            for headers in FOREIGN:
                answer = await browser.http.post(CHANGE, headers=headers, json={"force": True})
                assert (answer.status_code, answer.json()["code"]) == (403, "foreign_page"), headers
            assert await scene.trail() == []
            reading = await browser.get("/v1/status", headers=FOREIGN[0])
            assert reading.status_code == 200  # its browser does not show it
            own = {"Origin": "http://localhost:8110", "Sec-Fetch-Site": "same-origin"}
            for headers in (own, {}):  # a page of ours, a program
                answer = await browser.http.post(CHANGE, headers=headers, json={"force": True})
                assert answer.status_code == 200, answer.text

    play(story)


def test_a_name_of_somebody_elses_that_leads_here_tells_nothing() -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.VIEWER)
        bearer = {"Authorization": f"Bearer {token}"}
        for base, way in (("http://evil.example:8110", SOCKET), ("http://127.0.0.1:8110", TCP)):
            async with Browser(scene.app, way, base) as browser:
                rebound = {"Host": "evil.example:8110"}
                answer = await browser.get("/v1/status", headers=rebound)
                assert (answer.status_code, answer.json()["code"]) == (403, "foreign_name")
                assert (await browser.get("/", headers=rebound)).status_code == 403
                known = await browser.get("/v1/status", headers=rebound | bearer)
                assert known.status_code == (200 if way == TCP else 403)
                for name in ("localhost:8110", "127.0.0.1:8110", "[::1]:8110", "controller"):
                    fine = await browser.get("/v1/about", headers={"Host": name})
                    assert fine.status_code == (401 if way == TCP else 200), name

    play(story)
