"""A service that is live and under load, and releases that must not get in.

A house serves many rows: what is refused leaves nothing behind, which every row checks. After a row that
failed the next one gets a new house. On Docker the rows of a module share an Engine: a module whose rows
share a house has none of its own beside it with a stack of the same name.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

from bluegreen.domain.policy import RolloutPolicy
from bluegreen.domain.stack import StackSpec
from bluegreen.load import LoadProcess
from tests.e2e.test_no_request_fails import unharmed
from tests.support.house import APP, House, managed
from tests.support.waiting import until

POLICY = RolloutPolicy(start_deadline=2.0, bake=60.0, drain=5.0)
NEXT = f"{APP}:0.0.2"
PATIENCE = (POLICY.start_deadline, 10.0, 40.0)
"""Start deadlines to try, in seconds: on a busy machine a program may not even listen within the first."""


def base(house: House, **fields: Any) -> StackSpec:
    return managed(house.port, **({"rollout": POLICY, "stop_grace": 2.0} | fields))


class Street:
    """The houses of one test module, one for each runtime. ``url`` gives the Engine of Docker."""

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url
        self._houses: dict[str, House] = {}

    @contextmanager
    def house(self, runtime: str) -> Iterator[House]:
        """Lend a house whose only release is the first one, and which is live."""
        house = self._houses.pop(runtime, None) or self._build(runtime)
        try:
            yield house
        except BaseException:
            print(house.log()[-5000:])  # pytest shows it beside the failure
            asyncio.run(house.close())
            raise
        self._houses[runtime] = house

    def _build(self, runtime: str) -> House:
        house = House(runtime, self._url() if runtime == "docker" else None)
        try:
            asyncio.run(_furnish(house))
        except BaseException:
            asyncio.run(house.close())
            raise
        return house

    def close(self) -> None:
        for house in self._houses.values():
            asyncio.run(house.close())


async def _furnish(house: House) -> None:
    await house.start()
    await live(house, base(house))


async def live(house: House, stack: StackSpec) -> None:
    """Bring a good stack up: what is brief in its policy is meant for those that follow."""
    await house.up(with_policy(stack, start_deadline=60.0))
    await house.up(stack)


@asynccontextmanager
async def under_load(house: House, **changes: Any) -> AsyncIterator[LoadProcess]:
    """Users of release 1; at the end none of them noticed anything, and it is the only release there is."""
    async with house.users(**({"slow_path": "/slow?seconds=0.3"} | changes)) as load:
        yield load
        result = await load.stop()
    unharmed(result)
    assert set(result.versions) == {"0.0.1"}
    assert await house.version() == "0.0.1"
    await until(lambda: only_the_first(house), timeout=20.0)


async def only_the_first(house: House) -> bool:
    return {i["release"] for i in await house.get("/v1/instances?service=web")} == {1}


async def begin(house: House, environment: Mapping[str, str], image: str = NEXT) -> str:
    began = await house.post("/v1/services/web/deploy", {"image": image, "environment": dict(environment)})
    return str(began["rollout"]["id"])


def refused(ended: Mapping[str, Any], code: str, *words: str) -> None:
    """Require that a rollout ended before any traffic moved, for this reason, told in these words."""
    kept_out(ended)
    assert amiss(ended, code, *words) == [], ended["outcome"]


def kept_out(ended: Mapping[str, Any]) -> None:
    assert ended["phase"] == "aborted", ended
    assert ended["outcome"]["exit_code"] == 1
    assert ended["reason"]["hint"]


def amiss(ended: Mapping[str, Any], code: str, *words: str) -> list[str]:
    """Return the code if it is none of ``code`` (``a|b``), and which words were not told."""
    found, told = ended["reason"]["code"], "\n".join(ended["outcome"]["reason"])
    other = [] if found in code.split("|") else [found]
    return other + [word for word in words if word not in told]


async def refused_in_time(
    attempt: Callable[[float], Awaitable[Mapping[str, Any]]],
    code: str,
    *words: str,
    patience: Sequence[float],
) -> Mapping[str, Any]:
    """Require that ``attempt``, given a start deadline, ends as :func:`refused` says; return how it ended.

    Only why it was refused may be another thing as long as the machine was too slow for the deadline.
    """
    for deadline in patience:
        ended = await attempt(deadline)
        kept_out(ended)
        if not amiss(ended, code, *words):
            break
    refused(ended, code, *words)
    return ended


def instance(ended: Mapping[str, Any], index: int = 1) -> str:
    return f"shop-web-r{ended['release']}-{index}"


def with_policy(stack: StackSpec, **policy: Any) -> StackSpec:
    """Return the stack with another way to release ``web``: that alone is no new release."""
    services = tuple(replace(s, rollout=replace(s.rollout, **policy)) for s in stack.services)
    return replace(stack, services=services)
