"""Two instances under load of which one falls sick, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bluegreen.domain.agent import Agent
from bluegreen.domain.check import signs_of_life
from bluegreen.load import LoadProcess, Result
from tests.support.house import CHECK, House
from tests.support.waiting import until

FIRST, SECOND = PAIR = ("shop-web-r1-1", "shop-web-r1-2")

QUICK = Agent(check=replace(signs_of_life(CHECK), interval=0.3, timeout=0.3, fall=2), drain=0.5)
"""The agent as it is by default, only faster."""

PATIENT = {"post": 0, "timeout": 30.0, "slow_timeout": 30.0, "slow_path": "/slow?seconds=0.5"}
"""Users who wait for what met a hang: once the instance ends, the other one answers. No POST: that is not
sent twice by anybody."""


async def seen(house: House, service: str = "web") -> dict[str, dict[str, Any]]:
    """Return the instances of a service by name, as ``ps`` shows them."""
    return {i["name"]: i for i in await house.get(f"/v1/instances?service={service}")}


async def stands(house: House, rotation: str, *names: str, why: str = "", timeout: float = 20.0) -> None:
    """Wait until each of ``names`` is ``in`` or ``out`` of rotation, for a reason that holds ``why``."""
    found: dict[str, dict[str, Any]] = {}

    async def look() -> bool:
        nonlocal found
        found = await seen(house)
        return all(
            name in found and found[name]["rotation"] == rotation and why in found[name]["why"]
            for name in names
        )

    try:
        await until(look, timeout=timeout)
    except BaseException:
        print({name: (one["rotation"], one["why"], one["alive"]) for name, one in found.items()})
        print(*await told(house), sep="\n")
        raise


async def lives(house: House) -> dict[str, tuple[float, int]]:
    """Return what differs after each restart of an instance."""
    return {name: (one["started_at"], one["restarts"]) for name, one in (await seen(house)).items()}


async def told(house: House, about: str = "") -> list[tuple[str, str]]:
    """Return kind and message of what happened, oldest first, of one instance if one is named."""
    events = await house.get("/v1/events?limit=1000")
    return [(e["kind"], e["message"]) for e in events if about in (e["data"].get("instance", ""), "")]


async def happened(house: House, wanted: str, name: str = FIRST) -> bool:
    return wanted in [kind for kind, _ in await told(house, name)]


def in_order(kinds: Sequence[str], *wanted: str) -> None:
    """Require that ``wanted`` happened in this order; anything may have happened in between."""
    rest = iter(kinds)
    missing = [kind for kind in wanted if kind not in rest]
    assert not missing, (missing, kinds)


def only(result: Result, allowed: str) -> int:
    """Require that nothing failed but by ``allowed``; return how many did."""
    classes = {str(name): count for name, count in result.failures_by_class.items() if count}
    assert set(classes) <= {allowed}, (classes, result.first_failures)
    assert result.requests > 50
    return classes.get(allowed, 0)


async def goes_on(load: LoadProcess, more: int) -> None:
    """Wait until users have had so many answers more."""
    before = (await load.progress()).requests

    async def enough() -> bool:
        return (await load.progress()).requests >= before + more

    await until(enough, timeout=30.0)
