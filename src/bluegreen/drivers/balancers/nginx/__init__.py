"""The NGINX driver. Found by its entry point; opened by the composition root with :func:`open_balancer`.

NGINX runs from the files of ``state_dir``, as a daemon in its own session or in a container, and outlives the
controller; or it is somebody else's, and includes what we write.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bluegreen.drivers.balancers.nginx.binary import BinaryRunner, find_binary, require_no_container
from bluegreen.drivers.balancers.nginx.driver import NginxBalancer
from bluegreen.drivers.balancers.nginx.existing import ExistingNginx
from bluegreen.drivers.balancers.nginx.keeper import Keeper
from bluegreen.drivers.balancers.nginx.layout import Layout
from bluegreen.drivers.balancers.nginx.options import Options
from bluegreen.drivers.balancers.nginx.own import OwnNginx
from bluegreen.drivers.balancers.nginx.render import Rendering, render
from bluegreen.drivers.proxies.files import unwritable

__all__ = ["Layout", "NginxBalancer", "Options", "Rendering", "open_balancer", "render"]


@asynccontextmanager
async def open_balancer(options: Options) -> AsyncIterator[NginxBalancer]:
    """Open the balancer of ``options.state_dir``; starts nothing. Leaving it leaves NGINX running.

    Raises ``UserError`` (``nginx_missing``, ``bad_setting``), ``Permanent`` (``state_unwritable``).
    """
    paths = {key: getattr(options, key).absolute() for key in ("state_dir", "include_dir", "main_config")}
    settings = options.model_copy(update=paths)
    binary = find_binary(settings.binary) if settings.run != "container" else ""
    try:
        settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(settings.state_dir, error) from None
    async with _keeper(settings, binary) as keeper:
        yield NginxBalancer(settings.state_dir, keeper)


@asynccontextmanager
async def _keeper(options: Options, binary: str) -> AsyncIterator[Keeper]:
    if options.run == "existing":
        yield ExistingNginx(options, binary)
        return
    if options.run == "process":
        await asyncio.to_thread(require_no_container, options.state_dir)
        yield OwnNginx(options, BinaryRunner(binary, options.state_dir, options.start_deadline))
        return
    from bluegreen.drivers.balancers.nginx.container import NGINX, ContainerRunner
    from bluegreen.drivers.containers.engine_api import EngineApi, address_of

    address = address_of(NGINX, options.docker_url)
    async with EngineApi(NGINX, address, options.start_deadline) as engine:
        yield OwnNginx(
            options, ContainerRunner(engine, options.image, options.state_dir, options.start_deadline)
        )
