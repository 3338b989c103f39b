"""The output of an instance as a page: text whatever it holds, bounded however much comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from bluegreen.api.access.entrance import TCP, Entrance
from bluegreen.api.web.lines import LONGEST, MOST, Batch, batches, tame
from bluegreen.domain.access import Role
from bluegreen.testing.virtual_time import run
from tests.unit.api.browser import Browser
from tests.unit.api.listening import Reader
from tests.unit.api.scene import BLOG, Scene, play

NAME = "shop-web-r1-1"
PAGE = "/services/shop/web/logs"
HOSTILE = (
    "<script>alert(1)</script> \x1b[31;1mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://x\x1b\\ \x00\x08 \u202egnp"
)
HARMLESS = "&lt;script&gt;alert(1)&lt;/script&gt; red  \u2400\u2408 \ufffdgnp"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("as it is\t– ä", "as it is\t– ä"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x1b(B\x1bcreset", "reset"),
        ("\x1b]52;c;aGk=\x07never ends \x1b]0;", "never ends "),
        ("a\rb\x1b", "a␍b␛"),
        ("\x9b31m\x7f", "\ufffd31m␡"),
        ("x" * (LONGEST + 1), "x" * LONGEST + " …"),
        ("\x1b[m" * LONGEST, " …"),
    ],
)
def test_a_line_is_text(line: str, shown: str) -> None:
    assert tame(line) == shown


def test_the_last_lines_are_shown_without_script_and_harmless() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(Role.DEPLOYER))
            scene.world.runtime.output[NAME] = ["first", HOSTILE, "last"]
            text = (await browser.get(PAGE)).text
            assert f"<div>{HARMLESS}</div>" in text
            assert "\x1b" not in text
            two = (await browser.get(PAGE, params={"instance": NAME, "lines": "2"})).text
            assert ("first" in two, "last" in two) == (False, True)
            some = (await browser.get(PAGE, params={"words": "LAST"})).text
            assert ("<div>first" in some, "<div>last" in some) == (False, True)
            assert f'href="{PAGE}?instance={NAME}"' in (await browser.get("/services/shop/web")).text

    play(story)


def test_an_instance_of_another_service_is_refused() -> None:
    async def story(scene: Scene) -> None:
        async with Browser(scene.app) as browser:
            await browser.log_in(await scene.token(Role.DEPLOYER, "shop"))
            for path in (PAGE, f"{PAGE}/stream"):
                answer = await browser.get(path, params={"instance": f"{BLOG}-web-r1-1"})
                assert (answer.status_code, "unknown_instance" in answer.text) == (404, True)
            assert (await browser.get(PAGE, params={"lines": str(MOST + 1)})).status_code == 400

    play(story)


def test_a_viewer_may_not_read_it_as_by_the_api() -> None:
    async def story(scene: Scene) -> None:
        viewer = await scene.token(Role.VIEWER)
        assert (await scene.ask("GET", f"/v1/instances/{NAME}/logs", viewer)).status_code == 403
        async with Browser(scene.app) as browser:
            await browser.log_in(viewer)
            assert (await browser.get(PAGE)).status_code == 403
            assert "/logs" not in (await browser.get("/services/shop/web")).text

    play(story)


def test_what_comes_is_followed_to_its_end() -> None:
    async def story(scene: Scene) -> None:
        runtime = scene.world.runtime
        runtime.output[NAME] = ["old", "before"]
        token = await scene.token(Role.DEPLOYER)
        query = f"instance={NAME}&lines=1"
        async with Reader.at(Entrance(scene.app, TCP), f"{PAGE}/stream", token, query) as reader:
            assert await reader.next("begin") == ""
            assert json.loads(await reader.next("lines")) == ["before"]
            await reader.next("beat")
            runtime.say(NAME, HOSTILE)
            runtime.say(NAME, "and more")
            told = json.loads(await reader.next("lines"))
            assert told == ["<script>alert(1)</script> red  \u2400\u2408 \ufffdgnp", "and more"]
            await runtime.remove(NAME)
            runtime.say(f"{BLOG}-web-r1-1", "the fake looks up")
            assert "has ended" in await reader.next("over")

    play(story)


@pytest.mark.parametrize("follow", ["true", "false"])
def test_what_the_runtime_refuses_is_a_problem_not_a_torn_answer(follow: str) -> None:
    async def story(scene: Scene) -> None:
        token = await scene.token(Role.DEPLOYER)
        del scene.world.runtime.instances[NAME]  # gone, and nobody has told the controller yet
        answer = await scene.ask("GET", f"/v1/instances/{NAME}/logs?follow={follow}", token)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")

    play(story)


def test_what_comes_faster_than_it_is_read_is_bounded_and_said() -> None:
    async def endless() -> AsyncIterator[str]:
        number = 0
        while True:
            yield str(number)
            number += 1
            if number % 50 == 0:
                await asyncio.sleep(0.01)

    async def main() -> None:
        found: list[Batch] = []
        async for batch in batches(endless(), 2.0):
            found.append(batch)
            await asyncio.sleep(1.0)  # as slow as that
            if len(found) == 3:
                break
        assert all(len(batch.lines) <= MOST for batch in found)
        assert found[1].lost > MOST
        assert int(found[1].lines[0]) == int(found[0].lines[-1]) + 1 + found[1].lost

    run(main())
