"""The Consul driver: instances as services of a Consul agent, documents as keys.

Found by its entry point; opened by the composition root with :func:`open_registry`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bluegreen.drivers.registries.consul.client import open_client
from bluegreen.drivers.registries.consul.doctor import diagnose
from bluegreen.drivers.registries.consul.options import Options
from bluegreen.drivers.registries.consul.registry import ConsulRegistry


@asynccontextmanager
async def open_registry(options: Options) -> AsyncIterator[ConsulRegistry]:
    """Open the registry; nothing is sent before the first call. Leaving it takes its reports back.

    Raises ``UserError`` (``bad_setting``).
    """
    async with open_client(options) as client:
        registry = ConsulRegistry(client, options)
        try:
            yield registry
        finally:
            await registry.close()


__all__ = ["ConsulRegistry", "Options", "diagnose", "open_registry"]
