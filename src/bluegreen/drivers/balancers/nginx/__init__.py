"""The NGINX driver. Found by its entry point; opened by the composition root with :func:`open_balancer`.

NGINX runs from the files of ``state_dir``, as a daemon in its own session, and outlives the controller.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bluegreen.drivers.balancers.nginx.driver import NginxBalancer
from bluegreen.drivers.balancers.nginx.files import unwritable
from bluegreen.drivers.balancers.nginx.layout import Layout
from bluegreen.drivers.balancers.nginx.options import Options
from bluegreen.drivers.balancers.nginx.program import NginxProgram, find_binary
from bluegreen.drivers.balancers.nginx.render import Rendering, render

__all__ = ["Layout", "NginxBalancer", "Options", "Rendering", "open_balancer", "render"]


@asynccontextmanager
async def open_balancer(options: Options) -> AsyncIterator[NginxBalancer]:
    """Open the balancer of ``options.state_dir``; starts nothing. Leaving it leaves NGINX running.

    Raises ``UserError`` (``nginx_missing``), ``Permanent`` (``state_unwritable``).
    """
    settings = options.model_copy(update={"state_dir": options.state_dir.absolute()})
    program = NginxProgram(settings, find_binary(settings.binary))
    try:
        settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(settings.state_dir, error) from None
    yield NginxBalancer(settings, program)
