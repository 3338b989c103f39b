"""The Docker runtime driver: services as containers of a Docker Engine.

Found by the composition root through the entry point ``docker`` of ``bluegreen.runtimes``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bluegreen.drivers.runtimes.docker.doctor import diagnose
from bluegreen.drivers.runtimes.docker.gateway import open_gateway
from bluegreen.drivers.runtimes.docker.options import Options
from bluegreen.drivers.runtimes.docker.runtime import DockerRuntime


@asynccontextmanager
async def open_runtime(options: Options) -> AsyncIterator[DockerRuntime]:
    """Open the runtime; nothing is sent before the first call.

    Raises ``UserError`` (``docker_address_invalid``).
    """
    async with open_gateway(options.url, options.deadline) as gateway:
        yield DockerRuntime(gateway, options)


__all__ = ["DockerRuntime", "Options", "diagnose", "open_runtime"]
