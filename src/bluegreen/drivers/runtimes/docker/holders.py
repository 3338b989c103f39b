"""Who holds a port that an instance wanted. Asked only after the Engine has refused it."""

from __future__ import annotations

from collections.abc import Collection

import psutil

from bluegreen.domain.errors import BluegreenError, UserError
from bluegreen.domain.instance import InstanceSpec
from bluegreen.drivers.runtimes.docker.gateway import Gateway

Evidence = tuple[tuple[str, str], ...]


async def name_holders(gateway: Gateway, instance: InstanceSpec, refusal: UserError) -> UserError:
    """Return ``refusal`` (``port_taken``) with the ports in question and those who hold them.

    Never raises: what cannot be found out is left out.
    """
    found: Evidence = ()
    for port in {p.host for p in instance.spec.ports if p.host is not None}:
        holders = await _containers(gateway, port, instance.name)
        if not holders and gateway.is_local:
            holders = _processes(port)
        found += tuple((f"port {port}", f"held by {holder}") for holder in holders)
    if not found:
        return refusal
    who = "; ".join(f"{port} is {holder}" for port, holder in found)
    return UserError(
        f"instance {instance.name}: {who}",
        code=refusal.code,
        hint=refusal.hint,
        evidence=found + refusal.evidence,
    )


async def _containers(gateway: Gateway, port: int, own: str) -> Collection[str]:
    params = {"filters": {"publish": [f"{port}"]}}
    try:
        listed = await gateway.call("GET", "containers/json", what="the holders of a port", params=params)
    except BluegreenError:
        return ()
    names = (str(container["Names"][0]).lstrip("/") for container in listed.body)
    return [f"container {name}" for name in names if name != own]


def _processes(port: int) -> Collection[str]:
    try:
        listening = [
            c.pid
            for c in psutil.net_connections("inet")
            if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port and c.pid
        ]
        return [f"process {pid} ({psutil.Process(pid).name()})" for pid in dict.fromkeys(listening)]
    except psutil.Error:
        return ()
