"""The HAProxy driver. Found by its entry point; opened by the composition root with :func:`open_balancer`.

HAProxy runs from the files of ``state_dir``, as a process in its own session or in a container, and
outlives the controller.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from bluegreen.drivers.balancers.haproxy.binary import (
    BinaryRunner,
    find_binary,
    require_fit,
    require_no_container,
)
from bluegreen.drivers.balancers.haproxy.driver import HaproxyBalancer
from bluegreen.drivers.balancers.haproxy.options import Options
from bluegreen.drivers.balancers.haproxy.runner import Runner
from bluegreen.drivers.proxies.files import unwritable

__all__ = ["HaproxyBalancer", "Options", "open_balancer"]


@asynccontextmanager
async def open_balancer(options: Options) -> AsyncIterator[HaproxyBalancer]:
    """Open the balancer of ``options.state_dir``; starts nothing. Leaving it leaves HAProxy running.

    Raises ``UserError`` (``haproxy_missing``, ``haproxy_unusable``, ``haproxy_too_old``, ``bad_setting``),
    ``Permanent`` (``state_unwritable``).
    """
    settings = options.model_copy(update={"state_dir": options.state_dir.absolute()})
    binary = find_binary(settings.binary) if settings.run == "process" else None
    try:
        settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(settings.state_dir, error) from None
    async with _in_container(settings) if binary is None else _as_process(settings, binary) as runner:
        balancer = HaproxyBalancer(settings, runner)
        housekeeping = asyncio.create_task(balancer.housekeeping.run(), name="haproxy housekeeping")
        try:
            yield balancer
        finally:
            housekeeping.cancel()
            with suppress(asyncio.CancelledError):
                await housekeeping


@asynccontextmanager
async def _as_process(options: Options, binary: str) -> AsyncIterator[Runner]:
    await require_fit(binary, options.state_dir, options.start_deadline)
    await asyncio.to_thread(require_no_container, options.state_dir)
    yield BinaryRunner(binary, options.state_dir, options.start_deadline)


@asynccontextmanager
async def _in_container(options: Options) -> AsyncIterator[Runner]:
    from bluegreen.drivers.balancers.haproxy.container import HAPROXY, ContainerRunner
    from bluegreen.drivers.containers.engine_api import EngineApi, address_of

    address = address_of(HAPROXY, options.docker_url)
    async with EngineApi(HAPROXY, address, options.start_deadline) as engine:
        yield ContainerRunner(engine, options.image, options.state_dir, options.start_deadline)
