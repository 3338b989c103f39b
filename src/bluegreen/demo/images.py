"""The images of the demo's stack on Docker: what is absent is built, and given back at the end.

``mongo:latest`` in particular: a stand-in that stayed under that name would surprise whoever wants the
real one later. Rule: only what was built here is removed, and only containers and networks with the
label of the demo's own stack.
"""

from __future__ import annotations

import asyncio
import io
import os
import tarfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib import resources
from typing import Any

import aiohttp
from aiodocker import Docker, DockerError

from bluegreen.demo.story import Story
from bluegreen.domain.errors import Permanent, Temporary

DEFAULT_BASE = "python:3.11-slim"
BASE_VARIABLE = "BLUEGREEN_DEMO_BASE"

_ASK_WITHIN = 20.0
_BUILD_WITHIN = 600.0
_LABEL = "bluegreen.stack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one image is built: a Dockerfile of the demo, files of the sample (a pattern), build arguments."""

    name: str
    dockerfile: str
    programs: str
    arguments: Mapping[str, str] = field(default_factory=dict)


RECIPES = (
    Recipe(
        name="tactivos/devops-challenge:0.0.1",
        dockerfile="Dockerfile",
        programs="*.py",
        arguments={"VERSION": "0.0.1"},
    ),
    Recipe(
        name="tactivos/devops-challenge:0.0.2",
        dockerfile="Dockerfile",
        programs="*.py",
        arguments={"VERSION": "0.0.2"},
    ),
    Recipe(name="mongo:latest", dockerfile="mongo.Dockerfile", programs="db.py"),
)


@asynccontextmanager
async def borrowed_images(stack: str, base: str | None, story: Story) -> AsyncIterator[None]:
    """Have the images of the stack for as long as the block runs.

    Raises ``Temporary`` (``docker_unreachable``) and ``Permanent`` (``demo_images``).
    """
    chosen = base or os.environ.get(BASE_VARIABLE) or DEFAULT_BASE
    with _translated():
        docker = Docker(url=os.environ.get("BLUEGREEN_DOCKER_URL") or os.environ.get("DOCKER_HOST") or None)
    built: list[str] = []
    try:
        for recipe in RECIPES:
            with _translated():
                if await _present(docker, recipe.name):
                    continue
            story.remark(f"building {recipe.name} from {chosen}")
            await _build(docker, recipe, chosen)
            built.append(recipe.name)
        yield
    finally:
        await _give_back(docker, stack, built)
        await docker.close()


async def _present(docker: Docker, image: str) -> bool:
    try:
        async with asyncio.timeout(_ASK_WITHIN):
            await docker.images.inspect(image)
    except DockerError as error:
        if error.status == 404:
            return False
        raise
    return True


async def _build(docker: Docker, recipe: Recipe, base: str) -> None:
    arguments = {"BASE": base, **recipe.arguments}
    said: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(_BUILD_WITHIN):
            said = await docker.images.build(
                fileobj=_context(recipe), encoding="gzip", tag=recipe.name, buildargs=arguments, forcerm=True
            )
    except TimeoutError as error:
        raise _not_built(recipe, base, f"not ready after {_BUILD_WITHIN:g} s") from error
    except (DockerError, aiohttp.ClientError, OSError) as error:
        raise _not_built(recipe, base, getattr(error, "message", "") or str(error)) from error
    problems = [str(line["error"]) for line in said if "error" in line]
    if problems:
        raise _not_built(recipe, base, problems[0])


def _context(recipe: Recipe) -> io.BytesIO:
    """Return what the Engine builds from: the Dockerfile and the programs it copies."""
    files = {
        "Dockerfile": resources.files("bluegreen.demo").joinpath("stack", recipe.dockerfile).read_bytes(),
    }
    for file in resources.files("bluegreen.sample").iterdir():
        if fnmatch(file.name, recipe.programs):
            files[file.name] = file.read_bytes()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(content))
    packed.seek(0)
    return packed


def _not_built(recipe: Recipe, base: str, why: str) -> Permanent:
    return Permanent(
        f"the image {recipe.name} is absent and cannot be built from {base}",
        code="demo_images",
        evidence=(("Docker said", why),),
        hint="Name an image with Python 3 that this Docker has or can pull "
        f"(--base-image, or {BASE_VARIABLE}), or run the demo without Docker: --runtime process.",
    )


async def _give_back(docker: Docker, stack: str, built: list[str]) -> None:
    """Remove what is left of the stack, then the images that were built. Best effort."""
    gone = (DockerError, aiohttp.ClientError, OSError, TimeoutError)
    with suppress(*gone):
        async with asyncio.timeout(_ASK_WITHIN):
            await _remove_stack(docker, stack)
    for image in built:
        with suppress(*gone):
            async with asyncio.timeout(_ASK_WITHIN):
                await docker.images.delete(image)


async def _remove_stack(docker: Docker, stack: str) -> None:
    label = {"label": [f"{_LABEL}={stack}"]}
    for container in await docker.containers.list(all=True, filters=label):
        await container.delete(force=True, v=True)
    for network in await docker.networks.list(filters=label):
        await (await docker.networks.get(network["Id"])).delete()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (DockerError, aiohttp.ClientError, OSError, TimeoutError, ValueError, AssertionError) as error:
        raise Temporary(
            f"Docker cannot be used: {error or 'no address was found'}",
            code="docker_unreachable",
            hint="Start the Docker Engine or set DOCKER_HOST, or run the demo without: --runtime process.",
        ) from error
