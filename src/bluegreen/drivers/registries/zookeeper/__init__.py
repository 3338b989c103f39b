"""The ZooKeeper driver. Found by its entry point; opened by the composition root with :func:`open_registry`.

kazoo, the client library, is an extra: it is imported only when a registry is opened, and its absence is told
as what it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bluegreen.domain.errors import Permanent
from bluegreen.drivers.registries.zookeeper.options import Options

if TYPE_CHECKING:
    from bluegreen.drivers.registries.zookeeper.registry import ZooKeeperRegistry

__all__ = ["Options", "diagnose", "open_registry"]


@asynccontextmanager
async def open_registry(options: Options) -> AsyncIterator[ZooKeeperRegistry]:
    """Open a session; does not wait for it: a registry that is down is no reason not to start.

    Leaving it takes back what was reported, and leaves announced what was announced for
    ``options.session_timeout``. Raises ``Permanent`` (``driver_missing``, ``registry_refused``).
    """
    try:
        from bluegreen.drivers.registries.zookeeper.link import Link
        from bluegreen.drivers.registries.zookeeper.registry import ZooKeeperRegistry
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    link = Link(options)
    registry = ZooKeeperRegistry(link, options.prefix)
    try:
        yield registry
    finally:
        try:
            await registry.take_back_reports()
        finally:
            await link.close()


async def diagnose(options: Options) -> tuple[tuple[str, bool, str], ...]:
    """Return what was found: (what was checked, whether it is well, details). Never raises."""
    try:
        from bluegreen.drivers.registries.zookeeper.doctor import examine
    except ModuleNotFoundError as error:
        missing = _missing(error)
        return (("zookeeper", False, f"{missing.message}. {missing.hint}"),)
    return await examine(options)


def _missing(error: ModuleNotFoundError) -> Permanent:
    return Permanent(
        "the client library of ZooKeeper is not installed",
        code="driver_missing",
        hint="Install it: pip install 'bluegreen[zookeeper]'.",
        evidence=(("import", str(error)),),
    )
