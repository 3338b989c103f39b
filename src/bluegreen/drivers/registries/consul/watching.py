"""News from Consul by blocking queries: several in one stream, which never fails and never ends.

Consul answers a query with an index, and answers the next one when that has grown. Rules: an index that went
backwards is started anew, an error is waited out, and every reconnection counts as news.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bluegreen.domain.errors import BluegreenError
from bluegreen.drivers.registries.consul.client import Client

SHORTEST, LONGEST = 0.1, 3.0
"""Seconds until the next try after an error, from the first on."""

BREATH = 0.03
"""Seconds between two questions: what changes faster is told as one."""

NOTHING_NEW = 1.0
"""Seconds until the next question when an answer brought nothing, whatever stands in between."""


@dataclass(frozen=True, slots=True)
class Query:
    """Something to wait on: a path of the API and its parameters."""

    path: str
    params: Mapping[str, str] = field(default_factory=dict)


SERVICES = Query("catalog/services")
"""Its index grows with every change of any service, but not with the health of one."""


def queries(folder: str, stack: str) -> tuple[Query, ...]:
    """Return what to wait on for a stack, whose documents are in ``folder``."""
    health = Query("health/state/any", {"filter": f'"{stack}" in ServiceTags'})
    return Query(folder, {"keys": ""}), SERVICES, health


@asynccontextmanager
async def heard(client: Client, wanted: Collection[Query]) -> AsyncIterator[asyncio.Event]:
    """Yield an event that is set whenever one of the queries has news, first by their first answers."""
    news = asyncio.Event()
    tasks = [asyncio.create_task(_follow(client, one, news), name=f"consul {one.path}") for one in wanted]
    try:
        yield news
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until_news(news: asyncio.Event, timeout: float) -> None:
    """Return when there is news, or after ``timeout`` seconds; what was told until now counts as heard."""
    try:
        async with asyncio.timeout(timeout):
            await news.wait()
    except TimeoutError:
        pass
    news.clear()


async def _follow(client: Client, query: Query, news: asyncio.Event) -> None:
    index, pause = 0, SHORTEST
    while True:
        try:
            answer = await client.wait(
                query.path, what=f"waiting for news of {query.path}", params=query.params, index=index
            )
        except BluegreenError:
            index = 0
            await asyncio.sleep(random.uniform(pause / 2, pause))
            pause = min(LONGEST, pause * 2)
            continue
        pause = SHORTEST
        if index == 0 or answer.index != index:
            news.set()
            rest = BREATH if answer.index else NOTHING_NEW
        else:
            rest = NOTHING_NEW
        index = answer.index if answer.index >= index else 0
        await asyncio.sleep(rest)
