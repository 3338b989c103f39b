"""Packages of others, as they lie on a disk: a module, and metadata by which its entry points are found."""

from __future__ import annotations

from pathlib import Path


def put(site: Path, name: str, code: str | None, **entries: str) -> Path:
    """Install a package ``name`` 1.0 into ``site``; return ``site``.

    ``entries`` names its driver by group: ``registries="shelf"``, opened by ``open_it`` of the module.
    Without ``code`` there is no such module.
    """
    module = name.replace("-", "_")
    if code is not None:
        (site / f"{module}.py").write_text(code)
    facts = site / f"{module}-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    points = (f"[bluegreen.{group}]\n{driver} = {module}:open_it\n" for group, driver in entries.items())
    (facts / "entry_points.txt").write_text("\n".join(points))
    return site


REGISTRY = """
import asyncio
from contextlib import asynccontextmanager
from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    address: str | None = None
    max_age: int = 3
    secret: str = ""


class It:
    def __init__(self, options):
        self.options = options

    async def list(self, stack, *, documents_only=False):
        if self.options.address == "hangs":
            await asyncio.Event().wait()
        raise KeyError("not translated")


@asynccontextmanager
async def open_it(options):
    yield It(options)
"""


def _around(package: str, opener: str, word: str) -> str:
    """Return a driver with an option of its own around one of bluegreen's."""
    return f"""
from contextlib import asynccontextmanager
from pathlib import Path
import bluegreen.drivers.{package} as inner
from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    state_dir: Path
    volume: int


@asynccontextmanager
async def open_it(options):
    async with inner.{opener}(inner.Options(state_dir=options.state_dir)) as driver:
        driver.name = f"{word} at {{options.volume}}"
        yield driver
"""


RUNTIME = _around("runtimes.process", "open_runtime", "loud")
BALANCER = _around("balancers.haproxy", "open_balancer", "bright")
