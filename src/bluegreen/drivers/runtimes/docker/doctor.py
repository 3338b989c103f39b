"""Is Docker fit for bluegreen on this machine? For ``bluegreen doctor``; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bluegreen.domain.errors import BluegreenError
from bluegreen.drivers.runtimes.docker.gateway import Gateway, open_gateway
from bluegreen.drivers.runtimes.docker.limits import CONTROLLERS
from bluegreen.drivers.runtimes.docker.options import Options

Finding = tuple[str, bool, str]
"""(what was checked, whether it is well, details and what to do)."""

OLDEST_API = (1, 41)


async def diagnose(options: Options) -> tuple[Finding, ...]:
    """Return what was found, most basic first. Never raises; stops at what makes the rest moot."""
    try:
        async with open_gateway(options.url, options.deadline) as gateway:
            return await _examine(gateway)
    except BluegreenError as refused:
        return (("docker engine", False, f"{refused.message}. {refused.hint}"),)


async def _examine(gateway: Gateway) -> tuple[Finding, ...]:
    version = (await gateway.call("GET", "version", what="the version of Docker")).body
    info = (await gateway.call("GET", "info", what="the state of Docker")).body
    engine = f"version {version['Version']}, API {version['ApiVersion']}, at {gateway.where}"
    return (
        ("docker engine", True, engine),
        _api(version),
        _limits(info),
        ("docker storage", True, f"{info.get('Driver')} in {info.get('DockerRootDir')}"),
    )


def _api(version: Mapping[str, Any]) -> Finding:
    own = tuple(int(part) for part in str(version["ApiVersion"]).split("."))
    needed = ".".join(map(str, OLDEST_API))
    if own >= OLDEST_API:
        return "docker api", True, f"at least {needed}"
    return "docker api", False, f"older than {needed}: upgrade the Docker Engine to 20.10 or newer"


def _limits(info: Mapping[str, Any]) -> Finding:
    missing = sorted(name for name, flag in CONTROLLERS.items() if info.get(flag) is False)
    if not missing:
        return "docker limits", True, f"all supported (cgroup v{info.get('CgroupVersion', '1')})"
    return "docker limits", False, f"the kernel of the Docker host cannot apply: {', '.join(missing)}"
