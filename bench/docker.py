"""A private Docker Engine with the sample's images, and the least client of its API.

Used by the rows about Docker. The engine is the one of the tests (:mod:`tests.support.docker_engine`): both
are development tooling, and a second way to start dockerd would only be a second way to leave one behind.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
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

    async def deaths(self) -> AsyncGenerator[str, None]:
        """Yield the name of each container the moment the engine says that it has died."""
        filters = quote(json.dumps({"type": ["container"], "event": ["die"]}))
        waiting = aiohttp.ClientTimeout(total=None)
        async with self._session.get(f"http://docker/events?filters={filters}", timeout=waiting) as stream:
            yield ""  # the stream is open: from now on nothing is missed
            async for line in stream.content:
                yield json.loads(line)["Actor"]["Attributes"]["name"]
