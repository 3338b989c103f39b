"""Whatever somebody sends, it is a refusal with a reason, never a fault of the controller."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from bluegreen.api.access.rights import Operation
from bluegreen.domain.access import Role
from tests.unit.api.operations import DESCRIBED, OPERATIONS, STREAMS, address, noun_of
from tests.unit.api.scene import SHOP, Scene, play

WEIRD: list[Any] = [None, True, -1, 0, 2**70, 1e308, [], {}, [[]], {"": None}]
WEIRD += ["", "x" * 300, "\x00", "a b", "../..", "\ud800"]
NUMBERS = ["-1", "0", "9" * 19, "9" * 400, "1e3", "", "x", "\u0663"]
TEXTS = ["", "%00", "..", "%2e%2e%2fetc", "x" * 5000, "%ff", "a%20b", "\u0663", "*", "%25s"]


NOUNS = sorted({noun_of(path) for _, path in OPERATIONS})
QUERIES: dict[Operation, list[str]] = {
    operation: [p["name"] for p in told.get("parameters", ()) if p["in"] == "query"]
    for operation, told in DESCRIBED.items()
}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to everything in a document."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from leaves(one, (*path, key))


def spoiled(document: Any, path: tuple[Any, ...], weird: Any) -> Any:
    if not path:
        return weird
    found = copy.deepcopy(document)
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = weird
    return found


def is_no_fault(answer: Any) -> None:
    assert answer.status_code != 500, answer.text
    if answer.status_code >= 400:
        told = answer.json()
        assert told["code"] != "controller_fault"
        assert told["hint"]


@pytest.mark.parametrize("weird", [WEIRD[0::2], WEIRD[1::2]], ids=["some", "others"])
def test_a_stack_that_is_spoiled_anywhere(weird: list[Any]) -> None:
    async def story(scene: Scene) -> None:
        admin = await scene.token(Role.ADMIN)
        stack = (await scene.ask("GET", "/v1/stacks/shop", admin)).json()
        for path in leaves(stack):
            for one in weird:
                raw = json.dumps(spoiled(stack, path, one))
                is_no_fault(await scene.ask("POST", "/v1/stacks/shop/plan", admin, content=raw))

    play(story)


@pytest.mark.parametrize("noun", NOUNS)
def test_names_and_queries_that_mean_nothing(noun: str) -> None:
    async def story(scene: Scene) -> None:
        admin = await scene.token(Role.ADMIN)
        for method, path in (o for o in OPERATIONS if noun_of(o[1]) == noun and o not in STREAMS):
            for text in TEXTS if "{" in path else ():
                filled = path.replace("{name}", text).replace("{id}", text).replace("{format}", text)
                is_no_fault(await scene.ask(method, filled, admin))
            plain = address(path, SHOP).partition("?")[0].replace("{id}", "nobody")
            for query in QUERIES[method, path]:
                for text in (*NUMBERS, *TEXTS):
                    is_no_fault(await scene.ask(method, f"{plain}?{query}={text}", admin))

    play(story)


@pytest.mark.parametrize("noun", NOUNS)
def test_bodies_that_mean_nothing(noun: str) -> None:
    async def story(scene: Scene) -> None:
        admin = await scene.token(Role.ADMIN)
        for method, path in (o for o in OPERATIONS if noun_of(o[1]) == noun and o[0] != "GET"):
            there = address(path, SHOP).replace("{id}", "nobody")
            for raw in (b"", b"{", b"[" * 20_000, b"nul", b"\xff\xfe", b'{"a": NaN}', b"1" * 6_000):
                is_no_fault(await scene.ask(method, there, admin, content=raw))
            for weird in WEIRD:
                is_no_fault(await scene.ask(method, there, admin, content=json.dumps(weird)))

    play(story)
