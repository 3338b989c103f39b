"""The Docker runtime driver: services as containers of a Docker Engine.

Found by the composition root through the entry point ``docker`` of ``bluegreen.runtimes``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pydantic import ValidationError

from bluegreen.domain.errors import UserError
from bluegreen.drivers.runtimes.docker.doctor import diagnose
from bluegreen.drivers.runtimes.docker.gateway import open_gateway
from bluegreen.drivers.runtimes.docker.options import DockerOptions
from bluegreen.drivers.runtimes.docker.runtime import DockerRuntime


@asynccontextmanager
async def open_runtime(
    options: DockerOptions | Mapping[str, Any] | None = None,
) -> AsyncIterator[DockerRuntime]:
    """Open the runtime; nothing is sent before the first call.

    Raises ``UserError`` (``options_invalid``, ``docker_address_invalid``).
    """
    try:
        settings = DockerOptions.model_validate(options or {})
    except ValidationError as broken:
        raise UserError(
            f"the settings of the Docker runtime are not valid: {broken}",
            code="options_invalid",
            hint="Correct the setting that is named; docs/reference/settings.md lists all of them.",
        ) from broken
    async with open_gateway(settings.url, settings.deadline) as gateway:
        yield DockerRuntime(gateway, settings)


__all__ = ["DockerOptions", "DockerRuntime", "diagnose", "open_runtime"]
