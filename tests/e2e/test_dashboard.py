"""The dashboard in a real browser: a release is begun, watched, taken back and read about, under load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from playwright.async_api import BrowserContext, Page, expect

from bluegreen.domain.policy import RolloutPolicy
from tests.support.browser import Desk, violations
from tests.support.house import APP, House, managed
from tests.support.ports import free_port
from tests.support.waiting import until

expect.set_options(timeout=20_000)

PATIENT = RolloutPolicy(start_deadline=90.0, bake=60.0, drain=10.0)
STORY = 90.0
"""Seconds for a story: long enough for the slowest machine, and it is said where it hung."""


class Site:
    """A house whose dashboard is open to browsers of this machine, and one browser."""

    def __init__(self, house: House, desk: Desk, url: str) -> None:
        self.house = house
        self.desk = desk
        self.url = url

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Site]:
        address = f"127.0.0.1:{free_port()}"
        async with House.standing(listen=address) as house, Desk.open() as desk:
            await house.up(managed(house.port, replicas=2, rollout=PATIENT))
            yield cls(house, desk, f"http://{address}")

    async def log_in(self, name: str, role: str, person: BrowserContext, path: str = "/") -> Page:
        made = await self.house.post("/v1/tokens", {"name": name, "role": role})
        page = await person.new_page()
        await page.goto(self.url + path)
        await page.get_by_label("Token").fill(made["text"])
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("banner").get_by_text(name, exact=True)).to_be_visible()
        return page


Play = Callable[[Callable[[Site], Awaitable[None]]], None]


@pytest.fixture(scope="module")
def play() -> Iterator[Play]:
    """Return what plays a story on the one site of these tests: to build it takes longer than to use it."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        site = runner.run(stack.enter_async_context(Site.open()))
        try:
            yield lambda story: runner.run(_in_time(story(site)))
        finally:
            runner.run(stack.aclose())


async def _in_time(story: Awaitable[None]) -> None:
    async with asyncio.timeout(STORY):  # some calls to a browser have no deadline of their own
        await story


def test_a_release_is_begun_watched_taken_back_and_read_about(play: Play) -> None:
    async def story(site: Site) -> None:
        async with site.house.users(rate=60.0) as load:
            person = await site.desk.person()
            overview = await site.log_in("ana", "deployer", person)
            live = overview.locator("#service-shop-web .colors li", has_text="live")
            await expect(live).to_contain_text("devops-challenge:0.0.1")
            await overview.evaluate("window.untouched = true")
            await site.desk.picture(overview, "overview")
            await overview.get_by_role("link", name="web", exact=True).focus()
            assert await violations(overview) == []

            service = await person.new_page()
            await service.goto(f"{site.url}/services/shop/web")
            await drawn(service, 2)
            await service.get_by_role("link", name="Deploy…").click()
            await expect(service.get_by_text("moves to it in one step")).to_be_visible()
            assert await violations(service) == []
            await service.get_by_label("Image").fill(f"{APP}:0.0.2")
            await service.get_by_role("button", name="Deploy").click()
            await expect(service.locator("[aria-current=step]")).to_contain_text("baking")
            await expect(service.locator("[aria-current=step]")).to_contain_text("left of the way back")
            assert await site.house.version() == "0.0.2"

            await overview.bring_to_front()
            await expect(live).to_contain_text("devops-challenge:0.0.2")
            assert await overview.evaluate("window.untouched && document.activeElement.textContent") == "web"
            await service.bring_to_front()
            await drawn(service, 4)
            await site.desk.picture(service, "service")
            assert await violations(service) == []

            await service.get_by_role("link", name="Roll back…").click()
            await expect(service.get_by_text("which is still warm, in one step")).to_be_visible()
            await service.get_by_role("button", name="Roll back").click()
            await overview.bring_to_front()
            await expect(live).to_contain_text("devops-challenge:0.0.1")
            assert await overview.evaluate("window.untouched")
            assert await site.house.version() == "0.0.1"
            result = await load.stop()
            assert result.failed == 0, result.first_failures

        await read_back(site, overview)
        await site.house.request("DELETE", "/v1/tokens/ana")
        await expect(overview.get_by_role("heading", name="Log in")).to_be_visible()
        await person.close()

    play(story)


def test_a_release_is_held_let_go_and_aborted(play: Play) -> None:
    async def story(site: Site) -> None:
        person = await site.desk.person()
        page = await site.log_in("mia", "deployer", person, "/services/shop/web")
        slow = {"image": f"{APP}:0.0.2", "environment": {"START_DELAY": "60"}}
        await site.house.post("/v1/services/web/deploy", slow)
        held = page.locator(".stages .paused")
        await expect(page.locator("[aria-current=step]")).to_contain_text("proving")
        await confirmed(page, "Pause…", "gets no traffic", "Pause")
        await expect(held).to_be_visible()
        await confirmed(page, "Resume…", "goes on from", "Resume")
        await expect(held).to_have_count(0)
        await confirmed(page, "Abort…", "No traffic has moved yet, and none will", "Abort")
        await expect(page.locator(".stages")).to_contain_text("aborted")
        assert await site.house.version() == "0.0.1"
        await person.close()

    play(story)


async def confirmed(page: Page, link: str, told: str, button: str) -> None:
    """Follow a button to the page that says what will happen, and confirm."""
    await page.get_by_role("link", name=link).first.click()
    await expect(page.get_by_text(told)).to_be_visible()
    await page.get_by_role("button", name=button).click()


async def drawn(page: Page, points: int) -> None:
    """Return once the chart has so many points."""
    await page.wait_for_function(
        "least => Number(document.getElementById('chart').dataset.points) >= least", arg=points
    )


async def read_back(site: Site, page: Page) -> None:
    """Find the release again: in the history, with its reason, and in the audit trail."""
    await page.get_by_role("link", name="History").click()
    await page.get_by_label("Words").fill("0.0.2")
    await page.get_by_role("button", name="Search").click()
    row = page.get_by_role("row", name="reverted")
    await expect(row).to_contain_text("web.green")
    await page.goto(f"{site.url}/history")
    await expect(page.get_by_role("row")).to_have_count(3)
    await site.desk.picture(page, "history")
    assert await violations(page) == []
    await page.emulate_media(color_scheme="dark")
    assert await violations(page) == []
    await page.get_by_role("link", name="deploy").first.click()
    await expect(page.get_by_text("traffic is back on web.blue")).to_be_visible()

    admin = await site.log_in("root", "admin", await site.desk.person(), "/audit")
    rows = admin.get_by_role("row", name="ana")
    await expect(rows.filter(has_text="rollback (services)")).to_contain_text("127.0.0.1 by session")
    assert await violations(admin) == []


def test_it_works_without_script(play: Play) -> None:
    async def story(site: Site) -> None:
        person = await site.desk.person(java_script_enabled=False)
        page = await site.log_in("bob", "deployer", person)
        await page.get_by_role("link", name="web", exact=True).click()
        await page.get_by_role("link", name="Drain…").first.click()
        await page.get_by_label("Why").fill("looking at its memory")
        await page.get_by_role("button", name="Drain").click()
        await expect(page.get_by_role("heading", name="web", exact=True)).to_be_visible()
        await until(lambda: seen(page, "looking at its memory"))
        await page.get_by_role("link", name="Drain…").click()
        await page.get_by_role("button", name="Drain").click()
        await expect(page.get_by_role("alert")).to_contain_text("is the last instance")
        await page.get_by_role("link", name="Overview").first.click()
        await page.get_by_role("link", name="web", exact=True).click()
        await page.get_by_role("link", name="Ready…").click()
        await page.get_by_role("button", name="Put it back").click()
        await expect(page.get_by_role("heading", name="web", exact=True)).to_be_visible()
        await until(lambda: seen(page, "Ready…", there=False))
        await person.close()

    play(story)


async def seen(page: Page, words: str, *, there: bool = True) -> bool:
    """Load the page anew and return whether ``words`` are on it, as is wanted."""
    await page.reload()
    return (await page.get_by_text(words).count() > 0) is there


HOSTILE = "<script>window.hacked = true</script><img src=x onerror='window.hacked = true'> \x1b[31mred\x1b[0m"


def test_the_output_of_an_instance_is_followed_paused_and_searched(play: Play) -> None:
    async def story(site: Site) -> None:
        page = await site.log_in("kim", "deployer", await site.desk.person(), "/services/shop/web")
        await page.get_by_role("link", name="Logs of").first.click()
        output, state = page.get_by_role("log"), page.get_by_role("status")
        await expect(state).to_have_text("Following")
        name = (await output.get_attribute("aria-label") or "").removeprefix("Output of ")
        file = site.house.home / "process" / "logs" / f"{name}.log"

        def write(*lines: str) -> None:
            with file.open("a") as end:
                end.writelines(f"{line}\n" for line in lines)

        write(HOSTILE)
        await expect(output.locator("div").last).to_contain_text("<script>window.hacked = true</script>")
        await expect(output.locator("div").last).to_contain_text("onerror='window.hacked = true'> red")
        await page.get_by_role("button", name="Pause").click()
        write(*(f"line {number}" for number in range(2_500)))
        await expect(state).to_contain_text("new lines wait")
        await expect(output.locator("div").last).to_contain_text("red")
        await until(lambda: counts(page, "2000 new lines wait"))
        await page.get_by_role("button", name="Resume").click()
        await expect(output.locator("div")).to_have_count(2_000)
        await expect(output.locator("div").last).to_be_in_viewport()
        await page.get_by_label("Words").fill("line 249")
        await expect(state).to_contain_text("12 of 2000 lines have these words")
        assert await page.evaluate("window.hacked") is None
        await page.reload()  # a hundred lines are examined sooner
        await expect(state).to_have_text("Following")
        await site.desk.picture(page, "logs")
        assert await violations(page) == []
        with site.house.suspended():
            await expect(state).to_contain_text("The stream was lost")
        await expect(state).to_have_text("Following")
        await page.context.close()

    play(story)


async def counts(page: Page, words: str) -> bool:
    return words in (await page.get_by_role("status").text_content() or "")


def test_it_says_when_it_is_stale_and_comes_back_by_itself(play: Play) -> None:
    async def story(site: Site) -> None:
        page = await site.log_in("eve", "viewer", await site.desk.person())
        await expect(page.get_by_role("link", name="web", exact=True)).to_be_visible()
        with site.house.suspended():
            await expect(page.get_by_role("status")).to_contain_text("Not up to date")
            await site.desk.picture(page, "stale")
        await expect(page.get_by_role("status")).to_be_hidden()
        site.house.kill()
        await site.house.start()
        await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        assert await violations(page) == []

    play(story)
