"""The runtimes on which every end-to-end promise is kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import pytest

from tests.support import images
from tests.support.house import House

if TYPE_CHECKING:
    from tests.support.docker_engine import DockerEngine

Build = Callable[[], AbstractAsyncContextManager[House]]


@pytest.fixture(scope="session")
def stocked(docker_engine: DockerEngine) -> DockerEngine:
    """The session's Docker Engine with every image of the sample application."""
    images.load(docker_engine)
    return docker_engine


@pytest.fixture
def build_on(request: pytest.FixtureRequest) -> Callable[[str], Build]:
    """Return what builds a house on the runtime it is given; an Engine is started only for Docker."""

    def choose(runtime: str) -> Build:
        if runtime == "process":
            return House.standing
        engine: DockerEngine = request.getfixturevalue("stocked")
        return lambda: House.standing("docker", engine.url)

    return choose


@pytest.fixture(params=["process", "docker"])
def build(request: pytest.FixtureRequest, build_on: Callable[[str], Build]) -> Build:
    """Return what builds a house on the runtime of the test's parameter."""
    return build_on(request.param)
