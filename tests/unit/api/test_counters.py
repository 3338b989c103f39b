"""What a chart is fed with."""

from __future__ import annotations

from bluegreen.api.web.counters import CHARTS, FRESH, WINDOW, Counters
from bluegreen.domain.access import Role
from bluegreen.domain.naming import Color, PoolId
from bluegreen.domain.routing import PoolFacts
from tests.unit.api.browser import Browser
from tests.unit.api.scene import Scene, play

WEB = ("shop", "web")


def facts(color: str, requests: int, errors: int = 0, service: str = "web") -> PoolFacts:
    return PoolFacts(id=PoolId(f"shop.{service}.{color}"), requests=requests, errors=errors)


def test_pools_of_one_color_are_one_line() -> None:
    counters = Counters()
    counters.take(WEB, 1.0, [facts("blue", 3, 1), facts("blue", 4, service="other"), facts("green", 5)])
    (sample,) = counters.since(WEB, 0.0)
    assert {c: (n.requests, n.errors) for c, n in sample.colors.items()} == {
        Color.BLUE: (7, 1),
        Color.GREEN: (5, 0),
    }
    assert counters.since(WEB, 1.0) == []


def test_one_look_serves_all_and_old_ones_go() -> None:
    counters = Counters()
    assert counters.due(WEB, 1.0)
    counters.take(WEB, 1.0, [])
    assert not counters.due(WEB, 1.0 + FRESH / 2)
    assert counters.due(WEB, 1.0 + FRESH)
    counters.take(WEB, 2.0 + WINDOW, [])
    assert [sample.at for sample in counters.since(WEB, 0.0)] == [2.0 + WINDOW]
    for number in range(CHARTS):
        counters.take(("shop", str(number)), 500.0, [])
    assert counters.since(WEB, 0.0) == []


def test_the_page_asks_for_what_is_new() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(Role.VIEWER))
            first = (await browser.get("/services/shop/web/counters")).json()["samples"]
            assert [set(sample["colors"]) for sample in first] == [{"blue", "green"}]
            again = await browser.get(f"/services/shop/web/counters?after={first[0]['at']}")
            assert again.json()["samples"] == []

    play(story)
