"""A private Docker Engine with the sample's images, and the least client of its API.

Used by the rows about Docker. The engine is the one of the tests (:mod:`tests.support.docker_engine`): both
are development tooling, and a second way to start dockerd would only be a second way to leave one behind.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
from tests.support import images
from tests.support.docker_engine import DockerEngine, EngineBroken

from bench.row import NotMeasured

TAGS = ("0.0.1", "0.0.2")


@contextmanager
def engine() -> Iterator[DockerEngine]:
    """Run an engine with the images of ``TAGS``; raise :class:`NotMeasured` where there can be none."""
    try:
        with DockerEngine.running() as found:
            images.load(found, TAGS)
            yield found
    except (EngineBroken, FileNotFoundError) as error:
        raise NotMeasured(f"no Docker Engine: {error}") from error


class EngineApi:
    """Calls to the Engine API on one connection."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @classmethod
    @asynccontextmanager
    async def connected(cls, engine: DockerEngine) -> AsyncIterator[EngineApi]:
        connector = aiohttp.UnixConnector(path=str(engine.socket_path))
        async with aiohttp.ClientSession(connector=connector) as session:
            yield cls(session)

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        async with self._session.request(method, f"http://docker{path}", json=body) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {text}")
            return json.loads(text) if text else None

    async def events(self, action: str) -> AsyncGenerator[str, None]:
        """Yield the container of each event of that kind the moment the engine says so: its name, or its
        id where the event is one of a network. First of all an empty text: from then on none is missed."""
        filters = quote(json.dumps({"event": [action]}))
        waiting = aiohttp.ClientTimeout(total=None)
        async with self._session.get(f"http://docker/events?filters={filters}", timeout=waiting) as stream:
            yield ""
            async for line in stream.content:
                attributes = json.loads(line)["Actor"]["Attributes"]
                yield attributes.get("container") or attributes["name"]


async def told(
    api: EngineApi, listening: EngineApi, action: str, who: Collection[str], path: str, body: Any = None
) -> float:
    """Call the engine; return when it told of ``action`` on one of ``who`` (monotonic seconds)."""
    happening = listening.events(action)
    await anext(happening)
    calling = asyncio.ensure_future(api.call("POST", path, body))
    async for found in happening:
        if found in who:
            at = time.monotonic()
            break
    else:
        raise NotMeasured("the Engine's event stream ended")
    await happening.aclose()
    await calling
    return at
