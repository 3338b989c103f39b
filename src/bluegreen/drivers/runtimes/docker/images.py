"""Images: present, pulled if missing, pinned to what was resolved.

Called by the runtime when it prepares a spec, and again when a pinned image has vanished before a
start. A release names its image by digest (or by id where no registry ever knew it), so that a tag
that moves later changes nothing that was already released.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from bluegreen.domain.errors import BluegreenError, Temporary, UserError
from bluegreen.domain.instance import Prepared
from bluegreen.domain.spec import ServiceSpec
from bluegreen.drivers.runtimes.docker import limits, login, reading, refusals
from bluegreen.drivers.runtimes.docker.gateway import Gateway
from bluegreen.drivers.runtimes.docker.options import Options
from bluegreen.drivers.runtimes.docker.streams import json_lines

Json = Mapping[str, Any]

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm", "i686": "386"}
"""The kernel's word for an architecture (``GET /info``) → the one in images."""

REMEMBERED = 256


class Images:
    """The images of one Engine."""

    def __init__(self, gateway: Gateway, options: Options) -> None:
        self._gateway = gateway
        self._options = options
        self._ports: OrderedDict[str, tuple[int, ...]] = OrderedDict()

    async def prepare(self, spec: ServiceSpec) -> Prepared:
        """See :meth:`bluegreen.ports.runtime.Runtime.prepare`."""
        if spec.image is None:
            raise UserError(
                f"{spec.name}: it has no image to run",
                code="no_image",
                hint="Give the service an `image`, or run the stack on the process runtime.",
            )
        info = await self._info()
        limits.check(spec.name, spec.limits, info)
        platform = spec.container.platform
        image = await self.ensure(spec.image, platform)
        _check_platform(spec.image, image, info, platform)
        digest = repo_digest(spec.image, image, info.get("IndexServerAddress", ""))
        pinned = digest or image["Id"]
        ports = reading.image_ports(image)
        self._remember(pinned, ports)
        return Prepared(image=pinned, digest=pinned.rpartition("@")[2], ports=ports)

    async def ensure(self, image: str, platform: str | None = None) -> Json:
        """Return the description of ``image``, pulled if it is missing. Raises as ``prepare``."""
        found = await self._inspect(image)
        if found is None:
            await self._pull(image, platform)
            found = await self._inspect(image)
        if found is None:
            raise Temporary(
                f"image {image}: it was pulled and is gone again",
                code="image_vanished",
                hint="Look for a job that prunes images on the Docker host, then ask again.",
            )
        return found

    async def ports(self, pinned: str) -> tuple[int, ...]:
        """Return the TCP ports that a pinned image exposes. Pinned images never change."""
        if pinned not in self._ports:
            self._remember(pinned, reading.image_ports(await self.ensure(pinned)))
        return self._ports[pinned]

    async def _info(self) -> Json:
        info: Json = (await self._gateway.call("GET", "info", what="the state of Docker")).body
        return info

    def _remember(self, pinned: str, ports: tuple[int, ...]) -> None:
        self._ports[pinned] = ports
        self._ports.move_to_end(pinned)
        if len(self._ports) > REMEMBERED:
            self._ports.popitem(last=False)

    async def _inspect(self, image: str) -> Json | None:
        what = f"image {image}"
        answer = await self._gateway.call("GET", f"images/{image}/json", what=what, accept={404})
        found: Json | None = answer.body if answer.status == 200 else None
        return found

    async def _pull(self, image: str, platform: str | None) -> None:
        if image.startswith("sha256:"):
            raise refusals.of_pull(
                image, "not found: the image was known by its id only and has been removed"
            )
        name, tag = split_reference(image)
        default = str((await self._info()).get("IndexServerAddress", ""))
        headers = await login.auth_header(image, default, self._options.docker_config())
        params = {"fromImage": name, "tag": tag} | ({"platform": platform} if platform else {})
        deadline = self._options.pull_deadline
        try:
            async with asyncio.timeout(deadline):
                await self._fetch(image, params, headers)
        except TimeoutError as slow:
            raise refusals.of_pull(image, f"timeout: not complete after {deadline:g} s") from slow

    async def _fetch(self, image: str, params: Json, headers: Mapping[str, str]) -> None:
        def refuse(_what: str, _status: int, words: str) -> BluegreenError:
            return refusals.of_pull(image, words)

        async with self._gateway.stream(
            "POST",
            "images/create",
            what=f"image {image}",
            params=params,
            headers=headers,
            # The Engine begins to answer only after it has met the registry.
            deadline=None,
            refuse=refuse,
        ) as chunks:
            async for message in json_lines(chunks):
                if "error" in message:
                    detail = message.get("errorDetail") or {}
                    raise refusals.of_pull(image, str(detail.get("message") or message["error"]))


def split_reference(image: str) -> tuple[str, str]:
    """Return the repository and the tag or digest of a reference; the tag is ``latest`` by default."""
    name, at, digest = image.partition("@")
    path, _, last = name.rpartition("/")
    repository, _, tag = last.partition(":")
    full = f"{path}/{repository}" if path else repository
    return full, digest if at else tag or "latest"


def repo_digest(image: str, found: Json, default: str) -> str:
    """Return the reference by digest that fits ``image``, ``""`` if no registry knows it.

    Docker drops its own registry (``default``) from names, and the folder of its curated images.
    """
    wanted = split_reference(image)[0]
    digests = {str(digest).partition("@")[0]: str(digest) for digest in found.get("RepoDigests") or ()}
    if wanted in digests or login.registry_of(image, default) != default:
        return digests.get(wanted, "")
    return next((digest for name, digest in digests.items() if wanted.endswith(f"/{name}")), "")


def _check_platform(name: str, image: Json, info: Json, platform: str | None) -> None:
    """Refuse an image of another architecture, unless exactly that one was asked for (emulation)."""
    has = str(image.get("Architecture") or "")
    kernel = str(info.get("Architecture") or "")
    host = ARCHITECTURES.get(kernel, kernel)
    wanted = host if platform is None else [*platform.split("/"), ""][1]
    if not has or not wanted or has == wanted:
        return
    raise UserError(
        f"image {name}: it is built for {has}, and {wanted} is needed",
        code="wrong_platform",
        hint=f"Build it for this machine (`docker build --platform linux/{wanted} -t {name} .`).",
        evidence=(("image", has), ("host", host)),
    )
